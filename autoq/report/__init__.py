"""A search as people see it: live, as a picture, as a page."""

from autoq.report._html import write_report
from autoq.report._live import LiveTable, front_table
from autoq.report._progress import progress_bar

__all__ = ["LiveTable", "front_table", "progress_bar", "write_report"]
