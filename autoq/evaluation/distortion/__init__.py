"""Distortion of outputs, and the groups that a device refuses to run in 8 bits."""

from autoq.evaluation.distortion._distortion import Progress, SwitchedRuns, distortion, switched_distortions
from autoq.evaluation.distortion._f32_runner import F32Runner
from autoq.evaluation.distortion._halving import refused_groups
from autoq.evaluation.distortion._part_weights import part_weights
from autoq.evaluation.distortion._refused import Accepted, accepted

__all__ = [
    "Accepted",
    "F32Runner",
    "Progress",
    "SwitchedRuns",
    "accepted",
    "distortion",
    "part_weights",
    "refused_groups",
    "switched_distortions",
]
