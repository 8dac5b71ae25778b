"""A front that shows itself: as text, in a notebook, as a picture and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autoq.core import Format, brief_html, write_record
from autoq.searching.front import Front, TrialTable
from autoq.searching.records import record_to_dict
from autoq.searching.shown._brief import front_html, front_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMAT = Format("a Pareto front", version=2)


class ParetoFront(Front):
    """The Pareto front of a search; `Front` says which trials are on it.

    Args:
        records: Any trials; those that failed, miss the budget or were given up are not considered.
    """

    def __repr__(self) -> str:
        return "\n".join(front_lines(TrialTable.of(self)))

    def _repr_html_(self) -> str:
        table = TrialTable.of(self)
        return brief_html(f"Pareto front: {len(table.front)} of {len(table.rows)} trials", front_html(table))

    def plot(self, ax: Axes | None = None, *, behind: ParetoFront | None = None) -> Axes:
        """Draws every evaluated trial and the front, with intervals, on matplotlib axes.

        Args:
            ax: The axes; None makes new axes in a figure of their own.
            behind: The front of another, longer search of the same model, for comparison.
        """
        from autoq.searching.shown._plot import plot_table

        return plot_table(TrialTable.of(self), ax, behind=behind)

    def save(self, path: str | Path) -> Path:
        """Writes the members as JSON, whole or not at all.

        Raises:
            OutputError: It cannot be written there.
        """
        return write_record(Path(path), _FORMAT, {"members": [record_to_dict(r) for r in self._members]})
