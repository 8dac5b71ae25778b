"""URLs of stores without their passwords, as people may see them."""

from __future__ import annotations

import re

_HIDDEN = "***"
# Everything up to the last @ is hidden, since a password may contain some; hiding too much does no harm.
_IN_USER = re.compile(r"(?<![\w+.-])([A-Za-z][\w+.-]*://[^\s/:@'\"]*):[^\s'\"]*@")
_IN_QUERY = re.compile(r"([?&](?:\w*passw(?:or)?d|\w*secret|\w*token)=)[^\s&'\"]*", re.IGNORECASE)


def shown_url(url: str) -> str:
    """A URL without its password: "postgresql://me:***@host/studies". Other texts are given back."""
    scheme, mark, rest = url.partition("://")
    if mark and not rest.startswith("/"):
        user, at, place = rest.rpartition("@")
        if at and ":" in user:
            rest = f"{user.partition(':')[0]}:{_HIDDEN}@{place}"
    return _IN_QUERY.sub(rf"\g<1>{_HIDDEN}", f"{scheme}{mark}{rest}")


def without_passwords(text: str) -> str:
    """A text in which no URL shows its password."""
    if "://" not in text:
        return text
    hidden = _IN_USER.sub(rf"\g<1>:{_HIDDEN}@", text) if "@" in text else text
    return _IN_QUERY.sub(rf"\g<1>{_HIDDEN}", hidden)
