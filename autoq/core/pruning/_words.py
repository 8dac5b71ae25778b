"""How channels are chosen, and what is done about those that are gone."""

from __future__ import annotations

from autoq.core.vocabulary import Word


class PruningMethod(Word):
    """How the channels that go are chosen."""

    MAGNITUDE = "magnitude"  # the smallest L2 norm over all layers that make them
    FPGM = "fpgm"  # the nearest to all others of their group (filter pruning by the geometric median)
    INTERPOLATIVE = "interpolative"  # those that the others span best, in activations (interpolative decomposition)

    @property
    def needs_data(self) -> bool:
        """Whether it sees activations."""
        return self is PruningMethod.INTERPOLATIVE


class Repair(Word):
    """What layers do about channels that they no longer read."""

    NONE = "none"
    ONE_SHOT = "one_shot"  # read them as mixtures of the others, by least squares on the activations of the float model
    SEQUENTIAL = "sequential"  # give what they gave, by least squares on the activations of the pruned model, in turn

    @property
    def needs_data(self) -> bool:
        """Whether it sees activations."""
        return self is not Repair.NONE
