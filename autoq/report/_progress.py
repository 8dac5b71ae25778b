"""A bar for work of known length, with an estimate of what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autoq.report._console import console_of

Step = Callable[[int, int], None]


@contextmanager
def progress_bar(text: str, *, shown: bool = True, console: Console | None = None) -> Iterator[Step]:
    """Gives a function that takes what is done and what there is in all.

    Nothing is printed where there is no terminal, or nothing is ever done: a log has no use for a bar.

    Args:
        text: What is done.
        shown: False prints nothing.
        console: Where to print; standard error by default.
    """
    console = console or console_of()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = not (shown and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(text, total=None, visible=False)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield step
