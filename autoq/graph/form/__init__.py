"""Models read from any source, in one normal form."""

from autoq.graph.form._core import core
from autoq.graph.form._digest import model_digest
from autoq.graph.form._model_files import FOLDER_MODEL, model_files
from autoq.graph.form._normal_form import bodies, normal_form
from autoq.graph.form._ranks import check_ranks
from autoq.graph.form._read import read_model

__all__ = [
    "FOLDER_MODEL",
    "bodies",
    "check_ranks",
    "core",
    "model_digest",
    "model_files",
    "normal_form",
    "read_model",
]
