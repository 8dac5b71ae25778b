"""Why OpenVINO does not read a model."""

from __future__ import annotations

import re

from autoq.core import reason

_UNKNOWN = re.compile(r"No conversion rule found for operations: ([^\n]+)")


def unread_reason(error: Exception) -> str:
    """The reason in an error of a reader or converter, in one line."""
    unknown = _UNKNOWN.search(str(error))
    if unknown is not None:
        compiled = ", which JAX compiled: pass its jaxpr, of jax.make_jaxpr" * ("XlaCallModule" in unknown[1])
        return f"OpenVINO has no rule for operations {unknown[1].strip()}{compiled}."
    said = reason(error)
    if said.startswith(("Check '", "Exception from")) or "Unable to read the model" in said:
        return "the file is empty, damaged, or of another format."
    return said
