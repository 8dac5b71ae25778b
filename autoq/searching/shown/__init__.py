"""The front in words, figures and pictures."""

from autoq.searching.shown._audience import Audience, EarlierError
from autoq.searching.shown._brief import front_html, front_lines
from autoq.searching.shown._figures import row_metrics, row_recipe, row_values, table_csv
from autoq.searching.shown._markup import heading, legend_html, trials_html
from autoq.searching.shown._observer import SearchObserver
from autoq.searching.shown._pareto_front import ParetoFront
from autoq.searching.shown._plot import plot_table
from autoq.searching.shown._reasons import why_chosen, why_numbers_miss
from autoq.searching.shown._svg import chart_svg
from autoq.searching.shown._texts import (
    ACCURACY_DROP,
    FIRST_TOKEN,
    FLOAT_GROUPS,
    HELD_OUT,
    INT8_LAYERS,
    LATENCY,
    ORIGIN,
    REMARK,
    SIZE,
    SPEED_UP,
    STANDING,
    TRIAL,
    WEIGHTS,
    TextColumn,
    columns_of,
    legend,
    title_of,
)
from autoq.searching.shown._time import TIME_COLUMNS, TimeRow, time_csv, time_html, time_metrics, time_rows, time_title

__all__ = [
    "ACCURACY_DROP",
    "FIRST_TOKEN",
    "FLOAT_GROUPS",
    "HELD_OUT",
    "INT8_LAYERS",
    "LATENCY",
    "ORIGIN",
    "REMARK",
    "SIZE",
    "SPEED_UP",
    "STANDING",
    "TIME_COLUMNS",
    "TRIAL",
    "WEIGHTS",
    "Audience",
    "EarlierError",
    "ParetoFront",
    "SearchObserver",
    "TextColumn",
    "TimeRow",
    "chart_svg",
    "columns_of",
    "front_html",
    "front_lines",
    "heading",
    "legend",
    "legend_html",
    "plot_table",
    "row_metrics",
    "row_recipe",
    "row_values",
    "table_csv",
    "time_csv",
    "time_html",
    "time_metrics",
    "time_rows",
    "time_title",
    "title_of",
    "trials_html",
    "why_chosen",
    "why_numbers_miss",
]
