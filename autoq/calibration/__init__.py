"""One pass over the data: statistics, and the ranges that follow from them."""

from autoq.calibration._arrays import as_array, is_array
from autoq.calibration._batches import rows_apart
from autoq.calibration._clip_search import search_ranges
from autoq.calibration._collect import collect
from autoq.calibration._files import data_files, for_model, names_files, read_files
from autoq.calibration._images import Images, images
from autoq.calibration._infer import infer_all
from autoq.calibration._needs import (
    Needs,
    alignment_taps,
    channel_axis,
    estimator_for,
    has_few_values,
    output_mean,
    required_histograms,
    required_taps,
)
from autoq.calibration._ports import port_name
from autoq.calibration._ranges import estimate_range, extremes
from autoq.calibration._reader import Feed, Form, Reader, stacked
from autoq.calibration._rows import Rows, arrays_of
from autoq.calibration._samples import ModelInputs, as_inputs
from autoq.calibration._sources import Items, items_of
from autoq.calibration._statistics import Statistics, inputs_digest, statistics_digest, statistics_file
from autoq.calibration._table import Table, table
from autoq.calibration._taps import Statistic, Tap

__all__ = [
    "Feed",
    "Form",
    "Images",
    "Items",
    "ModelInputs",
    "Needs",
    "Reader",
    "Rows",
    "Statistic",
    "Statistics",
    "Table",
    "Tap",
    "alignment_taps",
    "arrays_of",
    "as_array",
    "as_inputs",
    "channel_axis",
    "collect",
    "data_files",
    "estimate_range",
    "estimator_for",
    "extremes",
    "for_model",
    "has_few_values",
    "images",
    "infer_all",
    "inputs_digest",
    "is_array",
    "items_of",
    "names_files",
    "output_mean",
    "port_name",
    "read_files",
    "required_histograms",
    "required_taps",
    "rows_apart",
    "search_ranges",
    "stacked",
    "statistics_digest",
    "statistics_file",
    "table",
]
