"""The parameters of a pruning as a user writes them: parsed and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from autoq.core import DataError, PlanError, PruningMethod, Repair, Word, is_number, quoted
from autoq.evaluation.device import RuntimeConfig


class Widths(Word):
    """How much each group loses."""

    EQUAL = "equal"  # the same share of its channels
    CHOSEN = "chosen"  # what the outputs miss least, for as many multiplications


@dataclass(frozen=True, slots=True)
class PruningSettings:
    """Checked parameters of `autoq.prune`.

    Attributes:
        ratio: Share of the channels of each group that goes; None if something else decides.
        macs: Share of the multiplications that may be left; None if something else decides.
        latency: Share of the float model's time that may be left; None if something else decides.
        widths: How much each group loses.
        multiple_of: What widths are multiples of.
        method: How channels are chosen.
        repair: What layers do about channels that are gone.
        subset_size: Number of samples used.
        runtime: What models are timed with.
    """

    ratio: float | None
    macs: float | None
    latency: float | None
    widths: Widths
    multiple_of: int
    method: PruningMethod
    repair: Repair
    subset_size: int
    runtime: RuntimeConfig

    @classmethod
    def of(
        cls,
        *,
        ratio: object,
        macs: object,
        latency: object,
        widths: str | Widths | None,
        multiple_of: object,
        method: str | PruningMethod,
        repair: str | Repair,
        subset_size: object,
        device: str,
        has_data: bool,
    ) -> Self:
        """Reads the parameters.

        Raises:
            PlanError: A word is unknown, or a number is out of bounds.
            DataError: Data are missing, or of no use.
        """
        given = {"ratio": ratio, "macs": macs, "latency": latency}
        if sum(value is not None for value in given.values()) != 1:
            said = ", ".join(f"{name} is {quoted(value)}" for name, value in given.items())
            msg = f"{said}: give one of them."
            raise PlanError(msg)
        told = None if widths is None else Widths.parse(widths)
        if latency is not None and told is Widths.EQUAL:
            msg = "widths is 'equal': latency needs widths that are chosen; leave it out."
            raise PlanError(msg)
        found = cls(
            None if ratio is None else _share("ratio", ratio, "of channels that go"),
            None if macs is None else _share("macs", macs, "of multiplications that are left"),
            None if latency is None else _share("latency", latency, "of the float model's time that is left"),
            told or (Widths.CHOSEN if has_data or latency is not None else Widths.EQUAL),
            _count("multiple_of", multiple_of),
            PruningMethod.parse(method),
            Repair.parse(repair),
            _count("subset_size", subset_size),
            RuntimeConfig(device=device),
        )
        if found.needs_data and not has_data:
            what = f"method {str(found.method)!r}" if found.method.needs_data else f"repair {str(found.repair)!r}"
            if not found.method.needs_data and not found.repair.needs_data:
                what = "latency" if latency is not None else "widths 'chosen'"
            msg = f"calibration is missing: {what} needs inputs of the model."
            raise DataError(msg)
        if has_data and not found.needs_data:
            what = f"method {str(found.method)!r} with repair 'none' and widths 'equal'"
            msg = f"calibration is of no use here: {what} sees weights alone; pass None."
            raise PlanError(msg)
        return found

    @property
    def needs_data(self) -> bool:
        """Whether activations are seen."""
        return self.method.needs_data or self.repair.needs_data or self.widths is Widths.CHOSEN


def _share(name: str, value: object, meaning: str) -> float:
    if not is_number(value) or not 0 < float(value) < 1:  # type: ignore[arg-type]
        msg = f"{name} is {quoted(value)}: it must be a share {meaning}, above 0 and below 1."
        raise PlanError(msg)
    return float(value)  # type: ignore[arg-type]


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        msg = f"{name} is {quoted(value)}: it must be a whole number above 0."
        raise PlanError(msg)
    return value
