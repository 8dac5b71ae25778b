"""Strange data files: arrays, tables, images; damaged, of any type, larger than they look, or with code in them."""

import io
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz_values import anything, damaged, texts
from fuzz_verdict import bounded_memory, each, inputs, judged
from hypothesis import strategies as st
from networks import conv_net
from PIL import Image

import autoq
from autoq.calibration import images, read_files
from autoq.core import DataError


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """An array that says of itself what no array is."""
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin-1") + b"\n"


def shaped(shape: str, kind: str = "<f4") -> bytes:
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}")


def zipped(content: bytes, *, claims: int | None = None) -> bytes:
    """An `.npz` of one member, whose directory claims another size where that is given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    found = bytearray(file.getvalue())
    if claims is not None:
        at = found.rindex(b"PK\x01\x02") + 24
        found[at : at + 4] = struct.pack("<I", claims)
    return bytes(found)


def picture(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that claims a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


class Thief:
    """What a pickle may do."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("stolen",)


THIEVES = {
    "x.npy": npy(np.array([Thief()], dtype=object)),
    "y.npy": pickle.dumps(Thief()),
    "x.npz": zipped(npy(np.array([Thief()], dtype=object))),
    "y.npz": pickle.dumps(Thief()),
    "z.npz": zipped(pickle.dumps(Thief())),
}
BOMBS = {
    "many.npy": shaped("(10000000, 3, 224, 224)"),
    "most.npy": shaped("(9223372036854775807, 9223372036854775807)"),
    "beyond.npy": shaped(f"({10**40},)"),
    "negative.npy": shaped("(-1, -8)"),
    "nothing.npy": shaped("(1000000000000,)", "<U0"),
    "void.npy": shaped("(1000000000000,)", "V0"),
    "objects.npy": shaped("(3,)", "|O"),
    "nested.npy": header("(" * 9_000),
    "code.npy": header("__import__('os').mkdir('stolen')"),
    "newer.npy": header("{}", (9, 9)),
    "unicode.npy": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", (3, 0)) + bytes(4),
    "keys.npy": header("{'shape': (1,)}"),
    "type.npy": shaped("(1,)", "<q99999999999"),
    "many.npz": zipped(shaped("(10000000, 3, 224, 224)")),
    "claims.npz": zipped(npy(np.zeros(3)), claims=4_000_000_000),
    "zeros.npz": zipped(npy(np.zeros(100, np.uint8)) + bytes(300_000_000)),
    "shape.npz": zipped(shaped("(300000000,)", "|u1") + bytes(300_000_000)),
    "empty.npz": zipped(b""),
    "empty.npy": b"",
    "zip.npz": b"PK\x03\x04",
    "wide.csv": ("a," * 500_000).encode(),
    "deep.csv": b"a,y\n" + b'"' + b"[" * 100_000 + b'",1\n',
    "digits.csv": b"a,y\n" + b"9" * 100_000 + b",1\n",
    "field.csv": b"a,y\n" + b"x" * 1_000_000 + b",1\n",
    "nul.csv": b"a,y\n\x00,1\n",
    "quote.csv": b'a,y\n"' + b"x\n" * 100_000,
    "utf-16.csv": "a,y\n1,2\n".encode("utf-16"),
    "names.csv": b",,\n1,2,3\n",
    "huge.png": picture(100_000, 100_000),
    "wide.png": picture(2**31 - 1, 1),
    "none.png": picture(0, 0),
    "short.png": picture(64, 64),
    "large.png": picture(12_000, 12_000),
    "empty.jpg": b"",
    "other.bmp": b"BM" + bytes(20),
    "other.gif": b"GIF89a" + b"\xff" * 30,
    "other.tif": b"II*\x00" + b"\xff" * 30,
    "other.webp": b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(8),
    "other.ppm": b"P6 99999999 99999999 255\n",
}


# What they hold is as much as they say.
LONG = {"shape.npz", "zeros.npz", "large.png", "deep.csv", "digits.csv"}


def read_all(path: Path, model: Any) -> None:
    """The file as calibration data, to the first sample."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        found = read_files(str(path))
        if not isinstance(found, dict | tuple | np.ndarray):
            found[0]
        autoq.quantize(model, str(path), subset_size=2, progress=False)


@pytest.mark.parametrize(
    "name", [*THIEVES, *(pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in BOMBS)]
)
def test_a_file_that_is_more_than_it_looks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = conv_net()
    (tmp_path / name).write_bytes({**BOMBS, **THIEVES}[name])
    with bounded_memory():
        judged(read_all, tmp_path / name, model)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", THIEVES)
def test_no_code_of_a_file_is_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(THIEVES[name])
    with pytest.raises(DataError):
        read_files(name)
    assert not (tmp_path / "stolen").exists()


def photo(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)).save(file, kind)
    return file.getvalue()


X = np.zeros((2, 3, 8, 8), np.float32)
WHOLE = {
    "x.npy": npy(X),
    "x.npz": npz(x=X, y=np.zeros(2, int)),
    "x.csv": b"image,label\n" + f'"{X[0].tolist()}",1\n'.encode() * 2,
    "x.png": photo("PNG"),
    "x.jpg": photo("JPEG"),
    "x.gif": photo("GIF"),
    "x.tif": photo("TIFF"),
    "x.webp": photo("WEBP"),
    "x.bmp": photo("BMP"),
    "x.ppm": photo("PPM"),
}


@pytest.mark.parametrize("name", WHOLE)
@inputs(1, 60)
def test_a_damaged_file(count: int, name: str, tmp_path: Path) -> None:
    """What is left of it is data that a model takes, or it is told what is wrong."""
    model = conv_net()
    (tmp_path / name).write_bytes(WHOLE[name])
    read_all(tmp_path / name, model)

    def judge(content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with bounded_memory():
            judged(read_all, tmp_path / name, model)

    each(count, damaged(WHOLE[name]), judge)


@inputs(4, 200)
def test_options_of_images_and_paths_of_any_value(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").write_bytes(WHOLE["x.png"])
    names = ["size", "mean", "scale", "layout", "colors"]
    odd = st.tuples(texts, st.dictionaries(st.sampled_from(names), anything, max_size=2))

    def judge(strange: tuple[str, dict[str, Any]]) -> None:
        path, options = strange
        if path.startswith("/") and not path.strip("/"):
            return  # all files of this machine
        judged(images, path)
        judged(read_files, path)
        judged(read_files, {"csv": path})
        if (found := judged(images, "x.png", **options)) is not None:
            judged(lambda: found[0])

    each(count, odd, judge)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
