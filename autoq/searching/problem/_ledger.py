"""Where the wall time of a search goes: seconds by part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from autoq.searching.records import Part


@dataclass(slots=True)
class Spell:
    """A while that a search spends on one of its parts.

    Attributes:
        part: The part.
        began: The moment when it began.
        inside_s: Seconds of the parts inside it, which have ended.
        told: Seconds of it that belong to other parts, as another process tells: by part.
    """

    part: Part
    began: float
    inside_s: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)


class Ledger:
    """Counts the seconds of a search by part, each second once.

    Seconds of a part inside another one count for the inner one alone. Only the thread that made the ledger counts:
    what other threads do at the same time takes none of the wall time.

    Attributes:
        earlier: Seconds by part of earlier sessions of the search.
    """

    def __init__(self) -> None:
        self.earlier: Mapping[str, float] = {}
        self._thread = threading.get_ident()
        self._seconds: dict[Part, float] = {}
        self._open: list[Spell] = []

    @contextmanager
    def spent(self, part: Part, now: Callable[[], float], into: dict[str, float] | None = None) -> Iterator[Spell]:
        """Counts the seconds of this context to a part.

        Args:
            part: The part.
            now: Gives the present moment, in seconds.
            into: Gets the seconds too, by part; what the spell was told replaces what it has.

        Yields:
            The spell, which may be told of other parts.
        """
        spell, depth = Spell(part, now()), len(self._open)
        counts = threading.get_ident() == self._thread
        try:
            if counts:
                self._open.append(spell)
            yield spell
        finally:
            whole_s = now() - spell.began
            own_s = whole_s - spell.inside_s
            told_s = sum(spell.told.values())
            if counts:
                # A signal may have come before a part inside was closed.
                del self._open[depth:]
                if self._open:
                    self._open[-1].inside_s += whole_s
                # The clock of another process may run a little faster.
                share = min(1.0, own_s / told_s) if told_s else 0.0
                for name, seconds in spell.told.items():
                    self._add(Part(name), share * seconds)
                self._add(part, own_s - share * told_s)
            if into is not None:
                into[part] = into.get(part, 0.0) + max(own_s - told_s, 0.0)
                into.update(spell.told)

    def until(self, moment: float) -> dict[Part, float]:
        """Seconds by part until a moment, those of the parts that go on too."""
        found = dict(self._seconds)
        for spell, inner in zip(self._open, [*self._open[1:], None], strict=False):
            ends = moment if inner is None else inner.began
            found[spell.part] = found.get(spell.part, 0.0) + ends - spell.began - spell.inside_s
        return found

    def _add(self, part: Part, seconds: float) -> None:
        self._seconds[part] = self._seconds.get(part, 0.0) + seconds
