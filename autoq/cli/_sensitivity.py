"""`autoq sensitivity`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._quantize_options import DATA_HELP, quantize_options, read_options
from autoq.cli._show import as_json, print_json, print_table
from autoq.cli._trouble import writes_to
from autoq.core import OutputError, check_not_inputs, drafted

if TYPE_CHECKING:
    from autoq.api import SensitivityReport

_PICTURES = (".png", ".svg", ".pdf")
_SCOPES = (".yaml", ".yml")
_SCOPE_NAME = "sensitive"
_MOST_PAIRS = 5


@click.command()
@click.argument("model")
@click.option("--calibration", required=True, help=DATA_HELP)
@click.option(
    "--measure", default="auto", show_default=True, help="nmse, kl, cosine; auto: kl of a Softmax, else nmse."
)
@click.option("--level", default="group", show_default=True, help="Level of the units: group, block, type, prefix.")
@click.option("--samples", type=click.IntRange(min=1), default=30, show_default=True, help="Number of inputs to run.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--gains", is_flag=True, help="Also estimate each unit's latency gain, from profiles.")
@click.option(
    "--also", "precisions", multiple=True, help="A further precision to measure: int8_weights, fp8_e4m3, fp8_e5m2."
)
@click.option(
    "--weight-format",
    "weight_formats",
    multiple=True,
    help="Measure compressed weights, in this format: 'int4_sym g64'.",
)
@click.option(
    "--width", "widths", type=float, multiple=True, help="Measure channels that go, where this share of them is kept."
)
@click.option("--multiple-of", type=click.IntRange(min=1), default=8, show_default=True, help="Of these widths.")
@quantize_options
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Units to show.")
@click.option("-o", "--out", help="Picture (.png, .svg, .pdf), or a folder for sensitivity.png and sensitivity.json.")
@click.option(
    "--ignored-scope", "scope", help="File to write the units to leave in float to: .yaml for `autoq quantize`."
)
@click.option(
    "--keep-share",
    type=click.FloatRange(0, 1),
    help="Share of the distortion that may be left with these units in float; 0.5 by default.",
)
@click.option("--count", type=click.IntRange(min=0), help="How many units to leave in float, instead of --keep-share.")
@as_json
def sensitivity(
    model: str,
    *,
    calibration: str,
    measure: str,
    level: str,
    samples: int,
    device: str,
    gains: bool,
    precisions: tuple[str, ...],
    weight_formats: tuple[str, ...],
    widths: tuple[float, ...],
    multiple_of: int,
    top: int,
    out: str | None,
    scope: str | None,
    keep_share: float | None,
    count: int | None,
    json_output: bool,
    **given: Any,  # of quantize_options
) -> None:
    """Shows which parts of MODEL suffer from few bits, or fewer channels, and can write an ignored scope of them."""
    from autoq.api import sensitivity as run_sensitivity
    from autoq.calibration import data_files
    from autoq.config import load_data
    from autoq.graph import model_files

    for option, value in (("--keep-share", keep_share), ("--count", count)):
        if value is not None and scope is None:
            raise click.UsageError(f"{option} needs --ignored-scope: a file to write the units to leave in float to.")
    if keep_share is not None and count is not None:
        raise click.UsageError("pass --keep-share or --count, not both.")
    picture = None if out is None else _picture_path(Path(out))
    writes_to(None if picture is None else picture.parent)
    scope_path = None if scope is None else _checked(Path(scope), _SCOPES, "ignored scope")
    data = load_data(calibration, Path())
    written = [] if picture is None else [picture, picture.with_suffix(".json")]
    read = [*model_files(model), *data_files(data)]
    check_not_inputs([*written, *([] if scope_path is None else [scope_path])], read)
    found = run_sensitivity(
        model,
        data,
        measure=measure,
        level=level,
        samples=samples,
        device=device,
        gains=gains,
        precisions=precisions,
        weight_formats=weight_formats,
        widths=widths,
        multiple_of=multiple_of,
        **read_options(**given),
    )
    said = found.to_dict()
    if scope_path is not None:
        said["ignored_scope"] = _write_scope(found, scope_path, keep_share, count)
    if picture is not None:
        said["picture"] = str(_write(picture, found.picture(picture.suffix[1:], top=top)))
        if out is not None and picture != Path(out):
            _write(picture.with_suffix(".json"), (json.dumps(said, indent=1) + "\n").encode())
    if json_output:
        print_json(said)
        return
    _print(found, model, top)
    if scope_path is not None:
        click.echo(f"{scope_path}: {said['ignored_scope']['verdict']}")
    if picture is not None:
        click.echo(f"{picture}: the picture.")


def _print(found: SensitivityReport, model: str, top: int) -> None:
    from autoq.api import how_it_is_spared, sensitivity_columns, sensitivity_rows, sensitivity_summary

    print_table(f"Sensitivity of {model}", sensitivity_columns(found), sensitivity_rows(found, top))
    if (more := len(found.units) - top) > 0:
        click.echo(f"{more} more units: --top shows more.")
    pairs = list(found.interactions.items())[:_MOST_PAIRS]
    if pairs and math.isfinite(found.whole) and found.whole > 0:
        rows = [[*pair, f"{value:+.2e}", f"{value / found.whole:+.1%}"] for pair, value in pairs]
        print_table(
            "Neighbours, both quantized beside the sum of each alone", ["unit", "unit", "more", "of the whole"], rows
        )
    left = f"left: predicted distortion with the unit and those above it {how_it_is_spared(found)}."
    click.echo(f"{sensitivity_summary(found)}. {left}")


def _write_scope(found: SensitivityReport, path: Path, share: float | None, count: int | None) -> dict[str, Any]:
    """Writes the scope, and returns what was written as JSON values."""
    from autoq.api import how_it_is_spared
    from autoq.config import scope_as_yaml

    chosen, left = found.most_sensitive(share=share, count=count)
    scope = found.ignored_scope(share=share, count=count)
    verdict = (
        f"{len(chosen)} of {len(found.units)} units {how_it_is_spared(found)}; predicted to leave {left:.1%} of the "
        f"distortion ({found.measure})."
    )
    _write(path, scope_as_yaml(scope, _SCOPE_NAME, verdict).encode())
    return {"path": str(path), "units": [unit.unit for unit in chosen], "left": left, "verdict": verdict}


def _picture_path(out: Path) -> Path:
    """Path of the picture: the given path, or a file inside it where it is a folder."""
    path = out if out.suffix else out / "sensitivity.png"
    return _checked(path, _PICTURES, "picture")


def _checked(path: Path, suffixes: tuple[str, ...], noun: str) -> Path:
    """A path that can be written to. It is checked before any work."""
    from autoq.export import check_folder

    if path.suffix not in suffixes:
        msg = f"{noun} path {str(path)!r} must end in {' or '.join(suffixes)}."
        raise OutputError(msg)
    check_folder(path.parent)
    return path


def _write(path: Path, content: bytes) -> Path:
    """Writes a file whole or not at all."""
    with drafted(path) as draft:
        draft.write_bytes(content)
    return path
