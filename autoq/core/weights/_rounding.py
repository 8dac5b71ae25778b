"""How numbers of a weight are rounded, and what the methods that need data see of it."""

from __future__ import annotations

from autoq.core.vocabulary import Word


class Rounding(Word):
    """How the numbers of a weight are rounded."""

    NEAREST = "nearest"  # each to the nearest number of its format, without data
    SCALE_ESTIMATION = "scale_estimation"  # to the nearest, with scales that data choose
    GPTQ = "gptq"  # column by column: those after take over the errors of those before
    COMPENSATED = "compensated"  # both

    @property
    def passes_errors_on(self) -> bool:
        """Whether columns take over the errors of those before."""
        return self in {Rounding.GPTQ, Rounding.COMPENSATED}

    @property
    def searches_scales(self) -> bool:
        """Whether data choose the scales."""
        return self in {Rounding.SCALE_ESTIMATION, Rounding.COMPENSATED}

    @property
    def needs_any_scale(self) -> bool:
        """Whether it is of no use where scales are powers of two."""
        return self is Rounding.SCALE_ESTIMATION


class Objective(Word):
    """The data by which methods judge an error."""

    TOKENS = "tokens"  # every token counts
    SAMPLE_MEANS = "sample_means"  # the mean token of each sample alone, as NNCF does
