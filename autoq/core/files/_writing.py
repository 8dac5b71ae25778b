"""Writing of all lasting files: whole or not at all, and flushed to the disk before it is reported.

A draft lies in a hidden folder beside its target, and so on the same file system. A finished draft is flushed to the
disk and takes its place by one rename, which is flushed too. If the process ends before that, the target is as it was,
and a draft is left: `sweep` removes it at the next start. A writer holds a lock on the folder of its draft. The kernel
frees the lock when the process ends, so that drafts of ended processes can be recognized.
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

# A name has at most 255 bytes on most file systems. The name of a draft's folder has as much of its target's name as
# fits.
_NAME_CHARACTERS = 40
_SUFFIX = ".draft"
# Other folders with such names belong to other programs.
_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.draft", re.DOTALL)
# If two folders cannot be exchanged, the earlier one waits here until the new one is in place.
_EARLIER = "earlier"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# Some file systems do not flush folders.
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
# Some file systems have no links.
_NO_LINK = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Writes a file whole or not at all.

    Args:
        path: The file; an existing one is replaced at the end.

    Yields:
        Path of the draft, with the same name. The caller writes to it. At the end of the context it takes its place;
        after an error it is removed.

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
    """Makes a new file, whole or not at all. A file that another program has made meanwhile stays.

    Args:
        path: The file.

    Yields:
        Path of the draft, as with `drafted`.

    Raises:
        FileExistsError: The file was made meanwhile.
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
    """Writes a folder of files that belong together: at any moment, all of them are new or all of them are old.

    Args:
        path: The folder; an existing one is replaced at the end, with all its files.

    Yields:
        A new, empty folder. The caller writes to it, as with `drafted`.

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
    """Writes files that are read together and stand beside others. At no moment do two of them disagree.

    Readers find the other files through the first one. It is removed before the others change: if the process ends in
    between, there is no first file, and never an old file beside a new one.

    Args:
        path: The file that the others belong to.
        others: Further files in the same folder.

    Yields:
        The folder of the drafts. The caller writes files with these names into it.

    Raises:
        OutputError: The files cannot be written there.
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
        # Parts of file names that cannot be decoded are no UTF-8 either.
        draft.write_text(text, "utf-8", errors="backslashreplace", newline="\n")
    return path


def removed(path: Path) -> None:
    """Removes a folder, all of it at once; does nothing if there is none.

    Raises:
        OutputError: The folder cannot be removed.
    """
    if not os.path.lexists(path):
        return
    with _said(path), _draft_folder(path) as folder:
        path.rename(folder / path.name)
        _flush(path.parent)


def sweep(folder: Path, name: str | None = None) -> int:
    """Removes the drafts of ended processes in a folder, and restores a target that one of them was replacing.

    Drafts that are still written stay, also those of a process on another machine that shares the folder.

    Args:
        folder: The folder; folders inside it are not searched.
        name: Name of the file whose drafts are removed; None removes those of all files.

    Returns:
        Number of removed drafts.
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
    """Turns errors of the system into one that names the file."""
    try:
        yield
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {error.strerror or reason(error)}."
        raise OutputError(msg) from error


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    """A locked folder beside a path. It is removed at the end with its content."""
    folder, descriptor = locked_folder(path)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # The lock is freed before the file is closed: a process forked meanwhile has the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def locked_folder(path: Path) -> tuple[Path, int]:
    """A new folder beside a path, and the descriptor with its lock, which keeps `sweep` away from it."""
    while True:
        folder = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{secrets.token_hex(4)}{_SUFFIX}")
        folder.mkdir()
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # it was swept before it was locked
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)


def _made_once(draft: Path, path: Path) -> bool:
    """Moves a draft to its place if that is free; gives False if it is not."""
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
    """Puts a draft in place of the path; the former content moves to a folder that is removed with the draft."""
    if not os.path.lexists(path):
        draft.rename(path)
        return
    if _exchanged(draft, path):
        return
    earlier.mkdir()
    path.rename(earlier / path.name)
    draft.rename(path)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two paths at once; gives False if the file system or the C library cannot do that."""
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
