"""The entry of the command line. It can be stopped from its first import on."""

from __future__ import annotations

import sys

from autoq._stopping import stoppable


def main() -> None:
    """Runs the command line.

    The exit status is 0 for success, 1 for an unexpected error, and 2 for input that cannot be used. It is 130, 143 or
    129 where Ctrl-C, SIGTERM or SIGHUP stopped the command.
    """
    with stoppable(command=True) as stopping:
        try:
            from autoq.cli._main import run

            code = run()
        except KeyboardInterrupt:
            # The signal came while modules were imported.
            print("stopped before anything began.", file=sys.stderr)  # noqa: T201  # click may not be there
            code = stopping.exit_code
        sys.exit(code)
