"""Training: samples in batches, a loss, steps of Adam, a race of learning rates, checks by OpenVINO, checkpoints."""

from autoq.training.tuning._beginning import (
    can_join,
    check_teacher,
    learned_in,
    output_terms,
    ready_for,
    torch_device,
)
from autoq.training.tuning._checkpoint import TuningCheckpoint
from autoq.training.tuning._held_out_loss import EXACT, HeldOutLoss, Judge
from autoq.training.tuning._latent import LatentWeight, with_latent_weights, with_stored_weights
from autoq.training.tuning._learner import Learner
from autoq.training.tuning._limit import TuningLimit
from autoq.training.tuning._loss import Distance, OutputTerm, TrainingLoss, UserLoss
from autoq.training.tuning._plan import TrainingPlan
from autoq.training.tuning._report import TuningCheck, TuningEnd, TuningReport
from autoq.training.tuning._runner import Runner, Teacher, shaped_for
from autoq.training.tuning._samples import SampleChunk, TrainingSamples
from autoq.training.tuning._training import train
from autoq.training.tuning._tune import TuningTask, tune
from autoq.training.tuning._views import SampleViews

__all__ = [
    "EXACT",
    "Distance",
    "HeldOutLoss",
    "Judge",
    "LatentWeight",
    "Learner",
    "OutputTerm",
    "Runner",
    "SampleChunk",
    "SampleViews",
    "Teacher",
    "TrainingLoss",
    "TrainingPlan",
    "TrainingSamples",
    "TuningCheck",
    "TuningCheckpoint",
    "TuningEnd",
    "TuningLimit",
    "TuningReport",
    "TuningTask",
    "UserLoss",
    "can_join",
    "check_teacher",
    "learned_in",
    "output_terms",
    "ready_for",
    "shaped_for",
    "torch_device",
    "train",
    "tune",
    "with_latent_weights",
    "with_stored_weights",
]
