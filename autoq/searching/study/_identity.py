"""The identity of a search: sessions with equal identities are one search. Differences are told in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_DIGEST = "digest:"


def as_digest(digest: str) -> str:
    """A digest as a value of an identity; its text is not shown to a person, to whom it says nothing."""
    return f"{_DIGEST}{digest}"


def plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity as it comes back from the storage."""
    return dict(json.loads(json.dumps(identity)))


def differences(stored: Mapping[str, Any], given: Mapping[str, Any], inside: str = "") -> Iterator[str]:
    """Each difference from the stored identity, in words: "the labels", "runtime.num_threads: 1, was 2"."""
    for key in {**given, **stored}:
        old, new = stored.get(key), given.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{inside}{key}.")
        elif any(isinstance(value, str) and value.startswith(_DIGEST) for value in (old, new)):
            yield f"{inside}{key}"
        else:
            yield f"{inside}{key}: {_shown(new)}, was {_shown(old)}"


def _shown(value: Any) -> str:  # any JSON value
    return value if isinstance(value, str) else json.dumps(value)
