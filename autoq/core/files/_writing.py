"""Everything that lasts is written here: whole or not at all, and on the disk before it is said to be there.

A draft stands in a hidden folder beside its target, so on the same file system. What is finished is flushed to the
disk, takes its place by one rename, and the rename is flushed too. Whatever ends the process before that leaves the
target as it was, and a draft: `sweep` removes it at the next start. Whoever writes a draft holds a lock on its folder,
which the kernel frees when the process ends, so that the drafts of the living are told from those of the dead.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoq.core.words import OutputError, reason

# A name has at most 255 bytes on most file systems; the folder of a draft tells what it is of, as far as that fits.
_NAME_CHARACTERS = 40
_SUFFIX = ".draft"
# Folders that others call so are theirs.
_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.draft", re.DOTALL)
# Where two folders cannot be exchanged, the earlier one waits here for the new one to be in place.
_EARLIER = "earlier"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# Some file systems do not flush folders.
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
# Some have no links.
_NO_LINK = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Writes a file whole or not at all.

    Args:
        path: The file; one that is there is replaced at the end.

    Yields:
        Path of the draft, of the same name, which is to be written to. It takes its place at the end of the context;
        where that ends with an error, it is removed.

    Raises:
        OutputError: It cannot be written there.

    Example:
        >>> with drafted(Path("plan.json")) as draft:
        ...     draft.write_text("{}")
    """
    with _said(path), _draft_folder(path) as folder:
        draft = folder / path.name
        yield draft
        _flush(draft)
        draft.replace(path)
        _flush(path.parent)


@contextmanager
def drafted_once(path: Path) -> Iterator[Path]:
    """Makes a file that is not there yet, whole or not at all; what another program put there meanwhile stays.

    Args:
        path: The file.

    Yields:
        Path of the draft, as with `drafted`.

    Raises:
        FileExistsError: It was made meanwhile.
        OutputError: It cannot be written there.
    """
    with _said(path), _draft_folder(path) as folder:
        draft = folder / path.name
        yield draft
        _flush(draft)
        made = _made_once(draft, path)
        _flush(path.parent)
    if not made:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


@contextmanager
def drafted_folder(path: Path) -> Iterator[Path]:
    """Writes a folder of files that belong together: at any moment all of them are new, or all of them are old.

    Args:
        path: The folder; one that is there is replaced at the end, with all that it holds.

    Yields:
        A new, empty folder, which is to be written to; as with `drafted`.

    Raises:
        OutputError: It cannot be written there.
    """
    with _said(path), _draft_folder(path) as folder:
        draft = folder / path.name
        draft.mkdir()
        yield draft
        for inside, _, files in os.walk(draft):
            for name in files:
                _flush(Path(inside, name))
            _flush(Path(inside))
        _exchange(draft, path, folder / _EARLIER)
        _flush(path.parent)


@contextmanager
def drafted_together(path: Path, *others: Path) -> Iterator[Path]:
    """Writes files that are read together, where they must stand beside others: at no moment are two of them different.

    The first is the one that the others are found by. It is taken away before the others change, so that a process
    that ends in between leaves none, and never one of the old beside one of the new.

    Args:
        path: The file that the others belong to.
        others: In the same folder.

    Yields:
        The folder of the drafts, in which files of these names are to be written.

    Raises:
        OutputError: They cannot be written there.
    """
    with _said(path), _draft_folder(path) as folder:
        yield folder
        for target in (path, *others):
            _flush(folder / target.name)
        path.unlink(missing_ok=True)
        _flush(path.parent)
        for target in (*others, path):
            (folder / target.name).replace(target)
        _flush(path.parent)


def write_text(path: Path, text: str) -> Path:
    """Writes a text file in UTF-8, whole or not at all.

    Raises:
        OutputError: It cannot be written there.
    """
    with drafted(path) as draft:
        # What a name of a file cannot be decoded to is no UTF-8 either.
        draft.write_text(text, "utf-8", errors="backslashreplace", newline="\n")
    return path


def removed(path: Path) -> None:
    """Takes a folder away, all of it at once; nothing where there is none.

    Raises:
        OutputError: It cannot be taken away.
    """
    if not os.path.lexists(path):
        return
    with _said(path), _draft_folder(path) as folder:
        path.rename(folder / path.name)
        _flush(path.parent)


def sweep(folder: Path, name: str | None = None) -> int:
    """Removes the drafts that ended processes left in a folder, and puts back what one of them was about to replace.

    Drafts that are still written, here or by a process on a machine that shares the folder, are left alone.

    Args:
        folder: Where files were written; folders inside of it are not looked into.
        name: Of the file that drafts are looked for of; None looks for those of all.

    Returns:
        Drafts removed.
    """
    swept = 0
    with suppress(OSError):
        for draft in folder.glob(f".*{_SUFFIX}"):
            found = _DRAFT.fullmatch(draft.name)
            if found and (name is None or found[1] == name[:_NAME_CHARACTERS]):
                swept += _swept(draft)
    return swept


def _swept(draft: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (draft / _EARLIER).is_dir():
                for earlier in (draft / _EARLIER).iterdir():
                    if not (target := draft.parent / earlier.name).exists():
                        earlier.rename(target)
            shutil.rmtree(draft, ignore_errors=True)
        finally:
            os.close(descriptor)
        return True
    return False


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Errors of the system as one that names the file."""
    try:
        yield
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {error.strerror or reason(error)}."
        raise OutputError(msg) from error


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    """A locked folder beside a path, which is removed at the end with what is left in it."""
    folder, descriptor = locked_folder(path)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # Freed before it is closed: a process forked meanwhile has the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def locked_folder(path: Path) -> tuple[Path, int]:
    """A new folder beside a path, and the descriptor that holds its lock, so that `sweep` leaves it alone till then."""
    while True:
        folder = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{secrets.token_hex(4)}{_SUFFIX}")
        folder.mkdir()
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # it was swept before it could be locked
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)


def _made_once(draft: Path, path: Path) -> bool:
    """Has a draft take a place that is free; False where it is not."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        if os.path.lexists(path):
            return False
        draft.rename(path)
    return True


def _exchange(draft: Path, path: Path, earlier: Path) -> None:
    """Puts the draft in the place of the path; what stood there stands in a folder that goes with the draft."""
    if not os.path.lexists(path):
        draft.rename(path)
        return
    if _exchanged(draft, path):
        return
    earlier.mkdir()
    path.rename(earlier / path.name)
    draft.rename(path)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two paths at once; False where the file system or the C library cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if not rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _flush(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(descriptor)
