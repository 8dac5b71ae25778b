"""A search as people see it: live, as a picture, as a page."""

from autoq.report._html import write_report
from autoq.report._live import LiveTable, front_table

__all__ = ["LiveTable", "front_table", "write_report"]
