"""A search as people see it: live, as a picture, as a page."""

from typing import TYPE_CHECKING

from autoq._lazy import lazy_names

if TYPE_CHECKING:
    from autoq.report._html import write_report
    from autoq.report._live import LiveTable, front_table
    from autoq.report._progress import progress_bar

__all__ = ["LiveTable", "front_table", "progress_bar", "write_report"]

# A progress bar needs nothing of a search.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "autoq.report._html": ["write_report"],
        "autoq.report._live": ["LiveTable", "front_table"],
        "autoq.report._progress": ["progress_bar"],
    },
)
