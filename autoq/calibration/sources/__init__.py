"""The forms of a user's data, and their samples as a model takes them."""

from autoq.calibration.sources._arrays import as_array, is_array
from autoq.calibration.sources._cure import Shape
from autoq.calibration.sources._files import data_files, for_model, names_files, read_files
from autoq.calibration.sources._images import Images, images
from autoq.calibration.sources._ports import give_shapes, port_name
from autoq.calibration.sources._reader import Feed, Form, Reader, stacked
from autoq.calibration.sources._rows import ArrayRows, arrays_of
from autoq.calibration.sources._samples import ModelInputs, as_inputs
from autoq.calibration.sources._sources import Items, items_of
from autoq.calibration.sources._table import Table, table
from autoq.calibration.sources._texts import token_windows
from autoq.calibration.sources._tokens import are_tokens

__all__ = [
    "ArrayRows",
    "Feed",
    "Form",
    "Images",
    "Items",
    "ModelInputs",
    "Reader",
    "Shape",
    "Table",
    "are_tokens",
    "arrays_of",
    "as_array",
    "as_inputs",
    "data_files",
    "for_model",
    "give_shapes",
    "images",
    "is_array",
    "items_of",
    "names_files",
    "port_name",
    "read_files",
    "stacked",
    "table",
    "token_windows",
]
