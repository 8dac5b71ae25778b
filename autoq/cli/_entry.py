"""The entry of the command line, which can be stopped from its first import on."""

from __future__ import annotations

import sys

from autoq._stopping import stoppable


def main() -> None:
    """Runs the command line.

    It ends with 0 for success, 1 for an error nobody foresaw, 2 for input that cannot be used; and with 130, 143 or 129
    where Ctrl-C, SIGTERM or SIGHUP stopped it.
    """
    with stoppable(command=True) as stopping:
        try:
            from autoq.cli._main import run

            code = run()
        except KeyboardInterrupt:
            # It was still being imported.
            code = stopping.exit_code
        sys.exit(code)
