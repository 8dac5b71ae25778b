"""Which image files data name, and their classes."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from autoq.calibration.sources._table import TARGETS
from autoq.core import ConfigError, DataError, nearest, path_of, quoted, reason

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
LISTING = ".csv"
_SEPARATORS = ",;\t"

Path_ = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Image files.

    Attributes:
        files: The files, in their order.
        classes: Names of the classes; the place of a name is the number of the class. Empty where classes have numbers.
        labels: Number of the class of each file; None for a file without one.
    """

    files: tuple[Path, ...]
    classes: tuple[str, ...]
    labels: tuple[int | None, ...]

    @classmethod
    def of(
        cls,
        source: Path_ | Iterable[Path_],
        path: str | int | None = None,
        label: str | int | None = None,
        classes: Sequence[str] | None = None,
    ) -> ImageFiles:
        """The files of a folder with a sub-folder for each class, of a list in a `.csv`, of a pattern, or those given.

        Args:
            source: The folder, the list, the pattern, a file, or files.
            path: Column of a list.
            label: Column of a list.
            classes: Names of the classes in the order of their numbers, for a folder or a list.

        Raises:
            DataError: There are no such files, or a label is no class.
            ConfigError: There is no such column, or an option is not for such a source.
        """
        known = _names(classes)
        if isinstance(source, str | os.PathLike):
            place = path_of(source, "images:", DataError)
            if place.suffix.lower() == LISTING and not place.is_dir():
                return _listed(place, path, label, known)
            _refuse(place, path=path, label=label)
            if place.is_dir():
                try:
                    return _in_folder(place, known)
                except OSError as error:
                    msg = f"images: folder {quoted(str(place))} cannot be read: {error.strerror}."
                    raise DataError(msg) from None
            files: tuple[Path, ...] = (place,)
            if glob.has_magic(str(source)):
                matches = Path(place.anchor).glob(str(place.relative_to(place.anchor)))
                files = tuple(sorted(each for each in matches if is_image_file(each)))
        else:
            files = tuple(path_of(each, "images:", DataError) for each in source)
            source = [*files]
            _refuse(source, path=path, label=label)
        _refuse(source, classes=known)
        if not files:
            msg = f"images: {str(source)!r} matches no image file."
            raise DataError(msg)
        for file in files:
            if not file.is_file():
                msg = f"images: {str(file)!r} does not exist."
                raise DataError(msg)
        return cls(files, (), (None,) * len(files))


def is_image_file(path: Path) -> bool:
    """Whether a path is a file with the suffix of an image."""
    return _has_suffix(path.name) and path.is_file() and not path.name.startswith(".")


def lists_images(path: Path) -> bool:
    """Whether a `.csv` names images: one column does, and the others hold no numbers, but for a label.

    A table that also has numbers has features, see `table`.

    Raises:
        DataError: The file cannot be read.
    """
    listing = _Listing.of(path, 2)
    _, first = listing.lines[0] if listing.lines else (0, [])
    place = listing.first_path
    if place is None:
        return False
    others = [column for column in range(len(first)) if column != place]
    label = listing.target if listing.target is not None else others[0] if len(others) == 1 else None
    return not any(_number(first[column]) is not None for column in others if column != label)


def _has_suffix(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _refuse(source: object, **options: object) -> None:
    """Refuses options that are for other sources."""
    for name, value in options.items():
        if value is not None:
            kinds = "a folder or a .csv" if name == "classes" else "a .csv"
            shown = str(source) if isinstance(source, Path) else source
            msg = f"images: {name} is {quoted(value)}, but it goes with {kinds}, and not with {quoted(shown)}."
            raise ConfigError(msg)


def _names(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    if classes is None:
        return None
    names = () if isinstance(classes, str) else tuple(classes)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        msg = f"images: classes is {quoted(classes)}: write a list of different names."
        raise ConfigError(msg)
    return names


# --- a folder --------------------------------------------------------------------------------------------------------


def _in_folder(folder: Path, known: tuple[str, ...] | None) -> ImageFiles:
    visible = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    places = [path for path in visible if path.is_dir()]
    names = tuple(path.name for path in places) if known is None else known
    files = [(path, None) for path in visible if is_image_file(path)]
    labelled = [
        (path, _class(names, place.name, f"images: folder {str(place)!r}"))
        for place in places
        for path in sorted(place.rglob("*"))
        if is_image_file(path)
    ]
    found: list[tuple[Path, int | None]] = [*files, *labelled]
    if not found:
        msg = f"images: folder {str(folder)!r} holds no image: {', '.join(sorted(SUFFIXES))} are read."
        raise DataError(msg)
    return ImageFiles(tuple(path for path, _ in found), names, tuple(label for _, label in found))


def _class(names: Sequence[str], name: str, where: str) -> int:
    if name not in names:
        msg = f"{where}: {name!r} is none of the {len(names)} classes: {nearest(name, names)}"
        raise DataError(msg)
    return names.index(name)


# --- a list ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Listing:
    """The lines of a `.csv`.

    Attributes:
        path: The file.
        columns: Names of the columns; None without a line of names, which names no image.
        lines: Number and values of each line below.
    """

    path: Path
    columns: tuple[str, ...] | None
    lines: tuple[tuple[int, list[str]], ...]

    @classmethod
    def of(cls, path: Path, most: int | None = None) -> _Listing:
        """Reads a file, or no more than so many lines of it.

        Raises:
            DataError: It cannot be read, or a line has another number of values than the first.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                separator = max(_SEPARATORS, key=file.readline().count)
                file.seek(0)
                read = csv.reader(file, delimiter=separator)
                filled = ((read.line_num, [value.strip() for value in line]) for line in read if line)
                lines = list(islice(filled, most))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            msg = f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or reason(error)}."
            raise DataError(msg) from None
        for number, values in lines:
            if len(values) != len(lines[0][1]):
                msg = f"{str(path)!r}, line {number}: {len(values)} values, but there are {len(lines[0][1])} columns."
                raise DataError(msg)
        has_names = bool(lines) and not any(map(_has_suffix, lines[0][1]))
        return cls(path, tuple(lines[0][1]) if has_names else None, tuple(lines[has_names:]))

    @property
    def first_path(self) -> int | None:
        """The first column that names an image; None without one."""
        values = self.lines[0][1] if self.lines else []
        return next((place for place, value in enumerate(values) if _has_suffix(value)), None)

    @property
    def target(self) -> int | None:
        """The column that is called as a target; None without one."""
        names = self.columns or ()
        return next((place for place, name in enumerate(names) if name.lower() in TARGETS), None)

    def place(self, option: str, column: str | int) -> int:
        """The place of a column.

        Raises:
            ConfigError: There is none.
        """
        names = self.columns or ()
        count = len(self.lines[0][1]) if self.lines else len(names)
        if column in names:
            return names.index(str(column))
        if isinstance(column, int) and not isinstance(column, bool) and 0 <= column < count:
            return column
        valid = (
            f"its columns are {', '.join(map(repr, names))}" if names else f"it has no names, so write 0 to {count - 1}"
        )
        msg = f"images: {option} is {quoted(column)}, but {str(self.path)!r} has no such column: {valid}."
        raise ConfigError(msg)


def _listed(
    path: Path, path_column: str | int | None, label_column: str | int | None, known: tuple[str, ...] | None
) -> ImageFiles:
    listing = _Listing.of(path)
    if not listing.lines:
        msg = f"images: {str(path)!r} names no image."
        raise DataError(msg)
    place = listing.first_path if path_column is None else listing.place("path", path_column)
    if place is None:
        number, values = listing.lines[0]
        msg = (
            f"images: {str(path)!r}, line {number}: none of {', '.join(map(repr, values))} ends as an image does "
            f"({', '.join(sorted(SUFFIXES))}); name the column of the files, path='...'."
        )
        raise DataError(msg)
    files = []
    for number, values in listing.lines:
        file = path.parent / values[place]
        if not values[place] or not file.is_file():
            msg = f"images: {str(path)!r}, line {number}: {str(file)!r} does not exist; paths start beside the .csv."
            raise DataError(msg)
        files.append(file)
    names, labels = _labels(listing, place, label_column, known)
    return ImageFiles(tuple(files), names, labels)


def _labels(
    listing: _Listing, path_place: int, column: str | int | None, known: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    """Names of the classes, and the number of the class of each line: whole numbers are numbers of classes."""
    place = listing.target if column is None else listing.place("label", column)
    others = [other for other in range(len(listing.lines[0][1])) if other != path_place]
    if place is None and len(others) > 1:
        every = ", ".join(map(repr, listing.columns)) if listing.columns else f"0 to {len(others)}"
        msg = f"images: {str(listing.path)!r} has the columns {every}: which is the class? Write label='...'."
        raise ConfigError(msg)
    if place is None and not others:
        return known or (), (None,) * len(listing.lines)
    values = [(number, line[others[0] if place is None else place]) for number, line in listing.lines]
    where = f"images: {str(listing.path)!r}, line"
    numbers = [_number(value) for _, value in values]
    if numbers[0] is None:
        for (number, value), is_number in zip(values, numbers, strict=True):
            if not value or (is_number is not None and (known is None or value not in known)):
                msg = f"{where} {number}: {value!r} is no class, since others are names, as {values[0][1]!r} is."
                raise DataError(msg)
        names = tuple(sorted({value for _, value in values})) if known is None else known
        return names, tuple(_class(names, value, f"{where} {number}") for number, value in values)
    labels: list[int | None] = []
    for (number, value), found in zip(values, numbers, strict=True):
        if found is None or found < 0 or not found.is_integer() or (known is not None and found >= len(known)):
            below = "" if known is None else f", and below {len(known)}"
            valid = f"write a whole number from 0{below}"
            msg = f"{where} {number}: {value!r} is no class, since others have numbers: {valid}."
            raise DataError(msg)
        labels.append(int(found))
    return known or (), tuple(labels)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
