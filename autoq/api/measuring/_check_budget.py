"""The budget of a call, checked."""

from __future__ import annotations

from autoq.core import ConfigError, is_number, quoted, whole_number

# 31 years are the longest budget: the system refuses to wait for a time that is much longer.
_LONGEST_S = 1e9


def check_budget(n_trials: int | None = None, **seconds: float | None) -> None:
    """Checks that the given parts of a budget are numbers above 0.

    Raises:
        ConfigError: One of them is not.
    """
    if n_trials is not None:
        whole_number(n_trials, "n_trials", least=1, error=ConfigError)
    for key, value in seconds.items():
        if value is not None and not (is_number(value) and 0 < value <= _LONGEST_S):
            msg = f"{key} is {quoted(value)}: it must be above 0, in seconds."
            raise ConfigError(msg)
