"""What every call must come to, whatever it is given: a result, or one error of autoq's that can be read."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from autoq.core import AutoqError, printable, quoted

# What no call on a small input may take.
DEADLINE_S = 10
MOST_BYTES = 512 * 2**20
LONGEST_MESSAGE = 2_000
# Stands in inputs where a password may; nothing that is said may have it.
PASSWORD = "hunter2secret"  # noqa: S105  # of nobody


class HangError(BaseException):
    """A call took too long; no `except Exception` catches it."""


@contextmanager
def deadline(seconds: float = DEADLINE_S) -> Iterator[None]:
    """Ends what takes longer."""

    def ring(*_: object) -> None:
        raise HangError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Whoever allocates more than a small input is worth gets a MemoryError, which no sentence may come of."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def check_words(said: str) -> None:
    """A message is one line that can be read and printed, and tells no password."""
    assert said.strip(), "an error says nothing"
    assert said == printable(said), f"not one line that can be printed: {said!r}"
    assert len(said) <= LONGEST_MESSAGE, f"{len(said)} characters"
    assert "Traceback" not in said
    assert PASSWORD not in said


def judged(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The result of a call; None where it refuses in a sentence. Any other exception is a fault."""
    with deadline():
        try:
            return call(*arguments, **keywords)
        except AutoqError as error:
            check_words(str(error))
            return None


def inputs(few: int, many: int) -> pytest.MarkDecorator:
    """As many inputs by default, and as many in the slow tests."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.slow)])


class Shown:
    """A value as a failing test shows it, however deep or strange it is."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return quoted(self.value)


def each(count: int, strategy: SearchStrategy[Any], judge: Callable[[Any], Any]) -> None:
    """Judges so many inputs of a strategy; few ones are the same in every run."""

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy.map(Shown))
    def property_of(shown: Shown) -> None:
        judge(shown.value)

    property_of()
