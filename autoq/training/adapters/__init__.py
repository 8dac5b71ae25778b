"""Low-rank adapters of compressed matrices: they learn what rounding lost, and are merged into the stored numbers."""

from autoq.training.adapters._adapted_weight import LORA_A, LORA_B, AdaptedWeight
from autoq.training.adapters._attach import attach_adapters
from autoq.training.adapters._merge import merge_adapters

__all__ = ["LORA_A", "LORA_B", "AdaptedWeight", "attach_adapters", "merge_adapters"]
