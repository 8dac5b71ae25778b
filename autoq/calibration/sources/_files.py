"""Data in files, found by a path."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.calibration.sources._image_files import SUFFIXES, lists_images
from autoq.calibration.sources._images import Images, images
from autoq.calibration.sources._reader import Reader
from autoq.calibration.sources._table import Table, of_frame, table
from autoq.calibration.sources._texts import token_windows
from autoq.calibration.sources._tokens import in_windows
from autoq.core import AutoqError, ConfigError, DataError, path_of, quoted, read_npy, read_npz, reason
from autoq.graph import is_decoder

# Keys of a mapping that names files.
_KINDS: Mapping[str, Callable[..., Any]] = {"images": images, "csv": table, "texts": token_windows}


def names_files(data: object) -> bool:
    """Whether data are a path, or a mapping of a path and options for reading its files."""
    if isinstance(data, Mapping):
        kinds = [kind for kind in _KINDS if isinstance(data.get(kind), str | os.PathLike)]
        return len(kinds) == 1
    if isinstance(data, list | tuple) and data and all(isinstance(part, str | os.PathLike) for part in data):
        return all(Path(part).suffix.lower() in SUFFIXES for part in data)
    return isinstance(data, str | os.PathLike)


def data_files(data: Any) -> tuple[Path, ...]:  # whatever a user brings
    """The files of data that are named by paths; empty for other data, and for files that do not exist."""
    if isinstance(data, Images):
        return data.files
    if not names_files(data):
        return ()
    if isinstance(data, Mapping) and "images" not in data:
        return (Path(data["texts" if "texts" in data else "csv"]),)
    named = data["images"] if isinstance(data, Mapping) else data
    columns = {key: data[key] for key in ("path", "label", "classes") if isinstance(data, Mapping) and key in data}
    suffix = Path(named).suffix.lower() if isinstance(named, str | os.PathLike) else ""
    own = (Path(named),) if suffix in {".csv", ".npy", ".npz"} else ()
    try:
        if own and (suffix != ".csv" or (named is data and not lists_images(own[0]))):
            return own
        return (*own, *images(named, **columns).files)
    except (AutoqError, OSError, ValueError):
        return own


def for_model(model: ov.Model, reader: Reader, data: Any, *, in_turn: bool) -> Any:  # whatever a user brings
    """Reads data in files or in a table as a model takes them, and cuts tokens in windows; gives other data back.

    Args:
        model: The model.
        reader: Reader of its inputs.
        data: The user's data.
        in_turn: Whether images of all classes come in turn.

    Raises:
        DataError: The data cannot be read, or the model does not take them.
        ConfigError: An option makes no sense.
    """
    if names_files(data):
        try:
            data = read_files(data)
        except DataError as error:
            msg = f"{reader.noun} data: {error}"
            raise DataError(msg) from None
    data = of_frame(data)
    if isinstance(data, Images):
        found = data.for_model(model)
        return found.in_turn() if in_turn else found
    if isinstance(data, Table):
        return data.for_ports(reader.ports)
    return in_windows(data) if is_decoder(model) else data


def read_files(data: Any, folder: Path = Path()) -> Any:  # arrays, or anything that yields items
    """Data from files.

    1. `.npy`: an array; `.npz`: arrays by name. If these are only `x` and `y`, they are inputs and targets.
    2. `.csv`: images and their classes, see `images`, if a column names files of images and no other than the label
       has numbers; else rows, see `table`.
    3. A folder, a pattern, an image file, a list of such files: images, see `images`.
    4. A mapping {"images": path, ...}, {"csv": path, ...} or {"texts": path, ...} with options of `images`, `table` or
       `token_windows`.

    Args:
        data: The path, or the mapping.
        folder: Folder of relative paths.

    Raises:
        DataError: There is no such file, or it cannot be read.
        ConfigError: An option is unknown or makes no sense.
    """
    if isinstance(data, Mapping):
        (kind,) = (kind for kind in _KINDS if kind in data)
        options = {str(key): value for key, value in data.items() if key != kind}
        if isinstance(own := options.get("tokenizer"), str | os.PathLike):
            options["tokenizer"] = folder / own
        try:
            return _KINDS[kind](folder / path_of(data[kind], kind, DataError), **options)
        except TypeError as error:
            msg = f"{kind} {str(data[kind])!r}: {reason(error)}."
            raise ConfigError(msg) from None
    if isinstance(data, list | tuple):
        return images([folder / part for part in data])
    path = folder / path_of(data, "data", DataError)
    suffix = path.suffix.lower()
    if suffix in {".npy", ".npz"}:
        return _arrays(path)
    if suffix == ".csv":
        return images(path) if lists_images(path) else table(path)
    if path.is_dir() or glob.has_magic(str(path)) or suffix in SUFFIXES:
        return images(path)
    msg = (
        f"{str(data)!r} names no data: there is no such folder, and it is no pattern of image files, "
        "no .npy, .npz or .csv, and no image."
    )
    raise DataError(msg)


def _arrays(path: Path) -> Any:  # an array, a dict, or a pair
    try:
        if path.suffix.lower() == ".npz":
            arrays = read_npz(path)
        else:
            with path.open("rb") as file:
                return read_npy(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        msg = f"{quoted(str(path))} cannot be read: {error.strerror or reason(error)}."
        raise DataError(msg) from None
    except ValueError as error:
        msg = f"{quoted(str(path))} holds no plain arrays: {reason(error)}"
        raise DataError(msg) from None
    return (arrays["x"], arrays["y"]) if set(arrays) == {"x", "y"} else arrays
