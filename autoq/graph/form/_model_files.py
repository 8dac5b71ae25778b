"""The files of a model."""

from __future__ import annotations

import mmap
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

# In an ONNX file, this key and the tag of the following value tell the place of the values of a tensor.
_LOCATION = re.compile(rb"\x0a\x08location\x12")
# The model in a folder of Optimum Intel.
FOLDER_MODEL = "openvino_model.xml"
_BESIDE = {".xml": ".bin", ".pdmodel": ".pdiparams"}


def model_files(source: object) -> tuple[Path, ...]:
    """The files that `read_model` reads a model from.

    1. The folder of a SavedModel: all files in it; that of Optimum Intel: its model; any other folder is no model.
    2. IR and Paddle: the file, and the weights beside it.
    3. ONNX: the file, and the files that it names for the values of its tensors.
    4. Any other path: the file.
    5. A model in memory: no files.

    Args:
        source: As `read_model` takes it; a path that does not exist has no files.
    """
    if not isinstance(source, str | os.PathLike):
        return ()
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ()
    if stat.S_ISDIR(mode):
        if (path / FOLDER_MODEL).exists():
            return model_files(path / FOLDER_MODEL)
        # Another folder may hold all files of a machine.
        whole = os.walk(path) if (path / "saved_model.pb").exists() else ()
        return tuple(sorted(Path(folder, name) for folder, _, names in whole for name in names))
    if path.suffix in _BESIDE:
        return path, path.with_suffix(_BESIDE[path.suffix])
    beside = dict.fromkeys(_external(path)) if path.suffix == ".onnx" and stat.S_ISREG(mode) else ()
    return path, *(path.parent / name for name in beside)


def _external(path: Path) -> Iterator[str]:
    """Names of the files that hold values of an ONNX model's tensors, relative to its folder."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in _LOCATION.finditer(content):
            at, length, shift = match.end(), 0, 0
            while at < len(content) and content[at] & 0x80:  # a length of several bytes, seven bits in each
                length |= (content[at] & 0x7F) << shift
                at, shift = at + 1, shift + 7
            length |= (content[at] if at < len(content) else 0) << shift
            yield content[at + 1 : at + 1 + min(length, len(content))].decode("utf-8", "surrogateescape")
