"""`autoq tune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._quantize_options import DATA_HELP
from autoq.cli._show import as_json, print_json, print_table
from autoq.cli._trouble import keeps, writes_to
from autoq.cli.words import Keeping
from autoq.core import ConfigError, FileLayout, shown

if TYPE_CHECKING:
    import openvino as ov

    from autoq.training.tuning import TuningCheck, TuningReport

_ENDS = {
    "done": "the whole length",
    "no better": "until several checks in a row brought nothing",
    "not finite": "until the loss was not finite",
}


@click.command()
@click.argument("model")
@click.option("-o", "--out", required=True, help="Path of the tuned .xml.")
@click.option("--data", required=True, help=f"Inputs to train on, some thousands: {DATA_HELP}")
@click.option("--trial", type=int, help="Trial of the run to train; the chosen one by default.")
@click.option("--teacher", help="The float model, whose outputs are learned; of a run, its own by default.")
@click.option("--loss", help="kl or nmse; or module:function or file.py:function of (outputs, targets).")
@click.option("--loss-share", type=float, default=0.5, show_default=True, help="Share of that function.")
@click.option("--epochs", type=int, help="Length: how often each sample is trained on.")
@click.option("--steps", type=int, help="Or the number of steps.")
@click.option("--timeout", "timeout_s", type=float, help="Or seconds, from the call to the result.")
@click.option("--lr", default="auto", show_default=True, help="Highest learning rate; auto lets some of them race.")
@click.option("--validation", help="Labelled data that decide which model is best; needs --metric.")
@click.option("--metric", help="Name, or module:function or file.py:function.")
@click.option(
    "--sparsity",
    help="Zeros among the weights: 0.5, 'local 0.5', 'regularized 0.5' or 2:4; with a course, 'global 0.8 exponential "
    "over 0.6': cubic, exponential, linear, steps (also as 0.3,0.6,0.8), or at once.",
)
@click.option("--lora-rank", type=int, help="Compressed matrices learn by adapters of this rank, merged at the end.")
@click.option(
    "--augment",
    default="auto",
    show_default=True,
    help="Views of the samples: some of shift, flip and mix, with commas; none. auto shifts and flips images.",
)
@click.option("--precision", default="auto", show_default=True, help="What products are computed in: f32, bf16.")
@click.option("--batch-size", type=int, default=32, show_default=True, help="Samples of a step.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the samples.")
@click.option("--device", default="auto", show_default=True, help="Where PyTorch computes: cpu, cuda.")
@click.option("--checkpoint", help="Folder from which the same command goes on after it was stopped.")
@as_json
def tune(
    model: str,
    *,
    out: str,
    data: str,
    trial: int | None,
    teacher: str | None,
    loss: str | None,
    lr: str,
    validation: str | None,
    metric: str | None,
    json_output: bool,
    **given: Any,  # the other options, by the names above
) -> None:
    """Trains MODEL to answer as its float model does; needs PyTorch. MODEL may be the folder of a run."""
    from autoq.api import RunFolder, TuningSettings, finetuned
    from autoq.config import load_data, load_metric
    from autoq.evaluation.candidate import size_bytes
    from autoq.export import saver
    from autoq.graph import read_model

    save = saver(out, FileLayout.IR, model)
    writes_to(Path(out).parent)
    if given["checkpoint"] is not None:
        keeps(Keeping.KEPT, Path(given["checkpoint"]).exists)
    settings = TuningSettings.of(lr=_rate(lr), loss=None if loss is None else load_metric(loss, Path()), **given)
    of_run = RunFolder(Path(model)).is_run
    if trial is not None and not of_run:
        msg = f"trial is {trial}, and {model!r} is no folder of a search."
        raise ConfigError(msg)
    network, its_teacher = _of_run(model, trial) if of_run else (read_model(model), None)
    tuned = finetuned(
        network,
        load_data(data, Path()),
        settings,
        teacher=teacher or its_teacher,
        validation=None if validation is None else load_data(validation, Path()),
        metric=None if metric is None else load_metric(metric, Path()),
        on_check=None if json_output else _say,
    )
    path = save(tuned.model)
    size = size_bytes(tuned.model)
    if json_output:
        print_json({"path": str(path), "size_bytes": size, "tuning": tuned.report.to_dict()})
        return
    _print(tuned.report)
    click.echo(f"{path}: {shown(size / 1e6, least=2)} MB.")


def _of_run(folder: str, trial: int | None) -> tuple[ov.Model, ov.Model]:
    """The model of a trial, and the float model of its search."""
    from autoq.api import SearchResult

    result = SearchResult.load(folder)
    return (result.best if trial is None else result.candidate(trial)).model, result.float_model


def _rate(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _say(check: TuningCheck) -> None:
    """A line of each check, for logs; a terminal has a bar."""
    if not sys.stderr.isatty():
        words = f"step {check.step}, {check.seconds:.0f} s: loss {shown(check.loss)}, held out {shown(check.held_out)}"
        click.echo(words, err=True)


def _print(report: TuningReport) -> None:
    rows = [
        [str(check.step), f"{check.seconds:.0f}", f"{check.rate:.2g}", shown(check.loss), shown(check.held_out)]
        for check in report.checks
    ]
    print_table("Checks", ["step", "s", "learning rate", "loss", "held out"], rows)
    if report.race:
        raced = ", ".join(f"{rate:g}: {shown(value)}" for rate, value in report.race.items())
        click.echo(f"race of learning rates, held out: {raced}.")
    figures = f"{shown(report.start)} before, {shown(report.best)} after"
    result = (
        figures if report.improved else f"{shown(report.start)}; no check was better, so the model is the given one"
    )
    click.echo(f"held out: {result}; {report.steps} steps, {_ENDS[str(report.end)]}.")
