"""Saves models."""

from autoq.export._layout import saver
from autoq.export._save import (
    check_folder,
    check_model_path,
    noted_candidate,
    read_provenance,
    save_candidate,
    save_model,
    write_ir,
)

__all__ = [
    "check_folder",
    "check_model_path",
    "noted_candidate",
    "read_provenance",
    "save_candidate",
    "save_model",
    "saver",
    "write_ir",
]
