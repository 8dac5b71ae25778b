"""File names for names that people choose."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 100
_READABLE = 80
# Only letters of ASCII: a name must be the same file under every locale. No name is hidden or looks like an option.
_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.+= -]*[A-Za-z0-9_+=-])?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+=-]+")
_DIGEST = re.compile(r"-[0-9a-f]{12}")


def file_name(text: str) -> str:
    """The file name for a name, the same one in every process and under every locale.

    1. A name of letters, digits and `_ . + = -` of ASCII, with spaces inside, is kept.
    2. Any other name (empty, with other characters, hidden, with separators, with more than 100 characters) becomes its
       readable part and a digest of all of it, so that two names are never one file.

    Returns:
        1 to 100 characters of ASCII without separators, and not `.` or `..`.
    """
    if len(text) <= _LONGEST and _SAFE.fullmatch(text) and not _DIGEST.fullmatch(text[-13:]):
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    readable = _UNSAFE.sub("_", text[:_READABLE]).strip("._-") or "name"
    return f"{readable}-{digest}"
