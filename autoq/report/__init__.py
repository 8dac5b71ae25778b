"""A search for people: live, as a picture, as a page."""

from typing import TYPE_CHECKING

from autoq._lazy import lazy_names

if TYPE_CHECKING:
    from autoq.report._console import console_of
    from autoq.report._front_table import front_table
    from autoq.report._live import LiveTable
    from autoq.report._page import write_report
    from autoq.report._progress import progress_bar

__all__ = ["LiveTable", "console_of", "front_table", "progress_bar", "write_report"]

# A progress bar needs nothing of a search.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "autoq.report._console": ["console_of"],
        "autoq.report._front_table": ["front_table"],
        "autoq.report._live": ["LiveTable"],
        "autoq.report._page": ["write_report"],
        "autoq.report._progress": ["progress_bar"],
    },
)
