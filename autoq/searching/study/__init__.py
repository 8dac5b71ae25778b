"""The Optuna study of a search: stored, locked, resumed."""

from autoq.searching.study._identity import as_digest, plain
from autoq.searching.study._storage import Storage
from autoq.searching.study._study import STORAGE_ERRORS, Study, kept_before, quiet_optuna

__all__ = [
    "STORAGE_ERRORS",
    "Storage",
    "Study",
    "as_digest",
    "kept_before",
    "plain",
    "quiet_optuna",
]
