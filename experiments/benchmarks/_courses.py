"""How a search on a recorded table goes: in a module of its own, so that processes find it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from _cases import EXPERIMENTS
from _judged import MAX_DROP, Judged
from _methods import METHODS

from autoq.core import ConfigError, nearest
from autoq.searching.recorded import MEASURED, RecordedTable, synthetic_table
from autoq.searching.records import Part
from autoq.searching.study import quiet_optuna

TABLES = EXPERIMENTS / "tables"
SYNTHETIC = "synthetic"
AT = (10, 20, 40, 80)
TO = (0.95, 0.99)
DROPS = (0.005, 0.01, 0.02)
OURS = "front"
# Methods that begin with what forward passes and profiles tell; the time for these counts.
INFORMED = (OURS, "greedy", "program")


@dataclass(frozen=True)
class Course:
    """How one search went.

    Attributes:
        shares: Of the area, found after each evaluation.
        shares_as_recorded: The same by what was recorded, luck and all.
        seconds: Since the start, after each.
        regrets: For each of the drops, after as many evaluations as 95% may take.
    """

    shares: np.ndarray
    shares_as_recorded: np.ndarray
    seconds: np.ndarray
    regrets: tuple[float, ...]

    def at(self, evaluations: int) -> float:
        """Share after so many evaluations, or when it ended before."""
        return float(self.shares[:evaluations][-1])

    def to(self, share: float) -> int | None:
        """Evaluations until this share was found; None where it never was."""
        return _first(self.shares >= share)

    def to_as_recorded(self, share: float) -> int | None:
        """The same by what was recorded."""
        return _first(self.shares_as_recorded >= share)


def _first(reached: np.ndarray) -> int | None:
    found = np.flatnonzero(reached)
    return int(found[0]) + 1 if len(found) else None


def table_names() -> list[str]:
    """Of all tables: those that were recorded, and the synthetic one."""
    return [*sorted(path.stem for path in TABLES.glob("*.npz")), SYNTHETIC]


def tables_asked(names: Sequence[str]) -> list[str]:
    """The named tables; without names all.

    Raises:
        ConfigError: One was not recorded.
    """
    known = table_names()
    for name in names:
        if name not in known:
            msg = f"table {name!r} was not recorded: {nearest(name, known)}"
            raise ConfigError(msg)
    return list(names) or known


@cache
def table_of(name: str) -> RecordedTable:
    """A table by its name."""
    return synthetic_table(0) if name == SYNTHETIC else RecordedTable.load(TABLES / f"{name}.npz")


@cache
def judged(name: str) -> Judged:
    """What the plans of that table are worth."""
    return Judged.of(table_of(name), exact=name == SYNTHETIC)


@cache
def as_recorded(name: str) -> Judged:
    """What its plans would be worth if there were no luck."""
    return Judged.of(table_of(name), exact=True)


def allowed(name: str) -> int:
    """Evaluations that 95% may take."""
    return len(table_of(name).space.units) + 20


@cache
def with_dear_samples(name: str, factor: float) -> RecordedTable:
    """A table by its name, with so many times the seconds to score a sample: as if there were more samples."""
    table = table_of(name)
    seconds = table.seconds.copy()
    scoring = [table.seconds_of(row, scored=factor)[Part.SCORE] for row in range(len(seconds))]
    seconds[:, MEASURED.index(Part.SCORE)] = scoring
    return replace(table, seconds=seconds)


def course(name: str, method: str, seed: int, limit: int, *, dearer: float = 1.0) -> Course:
    """Searches a table once.

    Args:
        name: Name of the table.
        method: Name of the method.
        seed: Of the search.
        limit: Most evaluations.
        dearer: Scoring a sample takes so many times as long as it did.
    """
    table, truth = with_dear_samples(name, dearer), judged(name)
    rows: list[int] = []
    seconds: list[float] = [table.knowledge_s if method in INFORMED else 0.0]
    with quiet_optuna():
        for evaluated in METHODS[method](table, MAX_DROP, seed):
            rows.append(evaluated.row)
            seconds.append(evaluated.seconds)
            enough = len(rows) >= min(max(AT), limit) and truth.shares(rows)[-1] >= max(TO)
            if enough or len(rows) == limit:
                break
    first = rows[: allowed(name)]
    regrets = tuple(truth.regret(first, drop) for drop in DROPS)
    return Course(truth.shares(rows), as_recorded(name).shares(rows), np.cumsum(seconds)[1:], regrets)
