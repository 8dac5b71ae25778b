"""The command group, and how it reports errors."""

from __future__ import annotations

import click

from autoq._stopping import exit_code
from autoq.cli._benchmark import benchmark
from autoq.cli._compress import compress
from autoq.cli._evaluate import evaluate
from autoq.cli._export import export
from autoq.cli._init import init
from autoq.cli._profile import profile
from autoq.cli._prune import prune
from autoq.cli._quantize import quantize
from autoq.cli._report import report
from autoq.cli._search import search
from autoq.cli._sensitivity import sensitivity
from autoq.cli._sites import sites
from autoq.cli._trouble import CommandPlace, known, plain_words, told
from autoq.cli.tuning import learn_to_round, tune
from autoq.core import AutoqError, printable, reason


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="autoq")
def cli() -> None:
    """Finds the quantized OpenVINO models worth deploying."""


for command in (
    search,
    quantize,
    compress,
    prune,
    tune,
    learn_to_round,
    benchmark,
    evaluate,
    profile,
    sensitivity,
    sites,
    report,
    export,
    init,
):
    if command.callback is not None:
        command.callback = known(command.callback)
    cli.add_command(command)


def run() -> int:
    """Runs the command line, and returns its exit status."""
    place = CommandPlace()
    with plain_words(place):
        return _run(place)


def _run(place: CommandPlace) -> int:
    try:
        cli(prog_name="autoq", standalone_mode=False, obj=place)
    except AutoqError as error:
        click.echo(f"error: {place.said(reason(error))}", err=True)
        return 2
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]  # the same message, on one line
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped.", err=True)
        if (said := place.after_stop) is not None:
            click.echo(said, err=True)
        return exit_code()
    except Exception as error:  # noqa: BLE001  # any error becomes a sentence
        click.echo(f"error: {told(error, place)}", err=True)
        return 1
    return 0
