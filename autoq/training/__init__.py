"""Models learn: the trainable twin of an `ov.Model` in PyTorch, and tuning by distillation. Needs the extra `torch`.

Names are loaded when they are first used, so that importing the package does not import PyTorch.
"""

from typing import TYPE_CHECKING

from autoq._lazy import lazy_names
from autoq.core import ConfigError

if TYPE_CHECKING:
    from autoq.training.twin import LearnedQuantizer, UnknownOperationError, to_torch, write_back

__all__ = ["LearnedQuantizer", "UnknownOperationError", "to_torch", "write_back"]

_load, _ = lazy_names(
    __name__, {"autoq.training.twin": ["LearnedQuantizer", "UnknownOperationError", "to_torch", "write_back"]}
)


def __getattr__(name: str) -> object:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        msg = f"autoq.training.{name} needs PyTorch, which is not installed: pip install 'autoq[torch]'."
        raise ConfigError(msg) from error


def __dir__() -> list[str]:
    return __all__
