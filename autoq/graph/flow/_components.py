"""Connected components of labels."""

from __future__ import annotations


class Components:
    """Components of labels: labels that are joined, directly or through others, are one component."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, *labels: str) -> None:
        """Puts labels into one component."""
        for label in labels:
            self._parent[self._root(label)] = self._root(labels[0])

    def roots(self) -> dict[str, str]:
        """By label, one label that represents its component."""
        return {label: self._root(label) for label in self._parent}

    def _root(self, label: str) -> str:
        while self._parent.setdefault(label, label) != label:
            label = self._parent[label]
        return label
