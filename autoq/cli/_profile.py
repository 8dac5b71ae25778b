"""`autoq profile`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoq.cli._pairs import read_pairs
from autoq.cli._show import as_json, print_json, print_table

if TYPE_CHECKING:
    from autoq.evaluation.execution import Profile


@click.command()
@click.argument("model")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--sample", help="Input to run: .npy, .npz, an image or file.py:function; zeros by default.")
@click.option("--model-type", help="transformer, for its placement rules.")
@click.option("--target-device", default="ANY", show_default=True, help="Hardware table for placement.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A runtime setting: inference_precision=f32, num_threads=1, ...; may be repeated.",
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Layers and groups to show.")
@as_json
def profile(
    model: str,
    *,
    device: str,
    sample: str | None,
    model_type: str | None,
    target_device: str,
    settings: tuple[str, ...],
    top: int,
    json_output: bool,
) -> None:
    """Shows where the time of MODEL goes, layer by layer, and why a layer does not run in int8."""
    from autoq.api import profile as run_profile
    from autoq.config import load_data
    from autoq.evaluation.execution import PROFILE_COLUMNS, profile_rows, profile_summary

    found = run_profile(
        model,
        sample=None if sample is None else load_data(sample, Path()),
        model_type=model_type,
        target_device=target_device,
        **{"device": device, **read_pairs("--set", settings, "inference_precision=f32 or num_threads=1")},
    )
    if json_output:
        print_json(_plain(found))
        return
    print_table(f"Layers of {model}", list(PROFILE_COLUMNS), profile_rows(found, top))
    _say_rest("layers", sorted((layer.ms for layer in found.layers), reverse=True)[top:])
    _print_groups(found, top)
    click.echo(profile_summary(found))


def _print_groups(found: Profile, top: int) -> None:
    """Prints the totals by group, and of the layers without a group."""
    layers = Counter(layer.group for layer in found.layers)
    times = list(found.groups_ms.items())
    shown: list[tuple[str | None, float]] = [*times[:top], (None, found.ungrouped_ms)]
    total = found.kernels_ms or 1.0
    rows = [[group or "(none)", str(layers[group]), f"{ms:.3f}", f"{ms / total:.1%}"] for group, ms in shown]
    print_table("Quantizer groups", ["group", "layers", "ms", "share"], rows)
    _say_rest("groups", [ms for _, ms in times[top:]])


def _say_rest(noun: str, times: list[float]) -> None:
    if times:
        click.echo(f"{len(times)} more {noun} take {sum(times):.3f} ms: --top shows more.")


def _plain(found: Profile) -> dict[str, Any]:
    return {
        "layers": [{**asdict(layer), "group": layer.group} for layer in found.layers],
        "groups_ms": found.groups_ms,
        "ungrouped_ms": found.ungrouped_ms,
        "kernels_ms": found.kernels_ms,
        "int8_ms": found.int8_ms,
        "wall_ms": found.wall_ms,
        "residual_ms": found.residual_ms,
        "runtime": dict(found.runtime),
    }
