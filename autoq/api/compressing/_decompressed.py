"""Tells of weights that are small in the file, and as large as ever in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from autoq.core import WeightFormat, WeightMode, quoted, shown
from autoq.graph import Family, Weight, operation
from autoq.transform import runs_compressed

# A smaller share of all weights is not worth a word.
_SHARE = 0.01
_FLOAT_BYTES = 4


def warn_of_decompressed(weights: Iterable[Weight], formats: Mapping[str, WeightFormat], *, stacklevel: int) -> None:
    """Warns of weights that OpenVINO's CPU decompresses as a whole, with the memory that they take.

    Nothing is said of convolutions, whose weights it decompresses in every format.

    Args:
        weights: The weights of a model.
        formats: Format of each by name; the others stay in float.
        stacklevel: Calls from here to the line that is warned of.
    """
    weights = list(weights)
    lost = [
        weight
        for weight in weights
        if weight.name in formats
        and operation(weight.type).family is not Family.CONVOLUTION
        and not runs_compressed(weight, formats[weight.name])
    ]
    size = sum(weight.size for weight in lost)
    if size < _SHARE * sum(weight.size for weight in weights) or not lost:
        return
    names = ", ".join(dict.fromkeys(str(formats[weight.name]) for weight in lost))
    able = sum(runs_compressed(weight, WeightFormat(WeightMode.INT8_ASYM)) for weight in lost)
    advice = "No mode leaves them compressed" if not able else "Modes int8 and int4 leave them compressed"
    if 0 < able < len(lost):
        advice = f"Modes int8 and int4 leave {able} of them compressed"
    warnings.warn(
        f"OpenVINO's CPU decompresses {len(lost)} of {len(formats)} weights ({names}; for example "
        f"{quoted(lost[0].name)}) when it compiles or first runs the model: they take "
        f"{shown(_FLOAT_BYTES * size / 1e6, least=2)} MB of memory, and the time of float. {advice}.",
        stacklevel=stacklevel,
    )
