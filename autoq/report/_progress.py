"""A progress bar for work of known length, with the estimated time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autoq.report._console import console_of

Step = Callable[[int, int], None]


@contextmanager
def progress_bar(text: str, *, shown: bool = True, console: Console | None = None) -> Iterator[Step]:
    """Shows a progress bar, and gives the function that advances it: it takes the steps done and all steps.

    Nothing is printed without a terminal, or where no step is done.

    Args:
        text: Name of the work.
        shown: False prints nothing.
        console: The console to print to; by default standard error.
    """
    console = console or console_of()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = not (shown and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(text, total=None, visible=False)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield step
