"""`autoq benchmark`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from autoq.cli._pairs import read_pairs
from autoq.cli._show import as_json, print_json
from autoq.core import shown_ms


@click.command()
@click.argument("model")
@click.option("--against", help="The model to compare with; by default the model itself.")
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--sample", help="Input to time with: .npy, .npz or file.py:function; zeros by default.")
@click.option("--precision", default="default", show_default=True, help="Precision of float layers.")
@click.option("--threads", type=int, help="Threads of the CPU.")
@click.option("--hint", default="LATENCY", show_default=True, help="OpenVINO's performance hint.")
@click.option("--streams", type=int, help="Parallel inferences that the model is compiled for.")
@click.option("--batch", type=int, help="First dimension of every input.")
@click.option("--shape", "shapes", multiple=True, metavar="INPUT=SHAPE", help='Shape of an input: "data=[1,3,64,64]".')
@click.option(
    "--against-set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the other model: inference_precision=f32, num_threads=1, ...; may be repeated.",
)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Most seconds of the measurement.")
@as_json
def benchmark(
    model: str,
    *,
    against: str | None,
    device: str,
    sample: str | None,
    precision: str,
    threads: int | None,
    hint: str,
    streams: int | None,
    batch: int | None,
    shapes: tuple[str, ...],
    changes: tuple[str, ...],
    seconds: float,
    json_output: bool,
) -> None:
    """Times MODEL beside another model, in alternating bursts, with an interval."""
    from autoq.api import benchmark as run_benchmark
    from autoq.config import load_data

    comparison = run_benchmark(
        model,
        against=against,
        device=device,
        sample=None if sample is None else load_data(sample, Path()),
        max_seconds=seconds,
        inference_precision=precision,
        num_threads=threads,
        num_streams=streams,
        performance_hint=hint,
        batch=batch,
        input_shapes=read_pairs("--shape", shapes, "data=[1,3,64,64]"),
        against_runtime=read_pairs("--against-set", changes, "inference_precision=f32 or num_threads=1"),
    )
    latency, first = comparison.latency, comparison.latency.first_token
    if json_output:
        print_json(
            {
                "verdict": comparison.verdict,
                "ratio": latency.ratio.to_dict(),
                "timer": comparison.timer.to_dict(),
                "p25_ms": latency.p25_ms,
                "p50_ms": latency.p50_ms,
                "p90_ms": latency.p90_ms,
                "other_p50_ms": latency.baseline_p50_ms,
                "bursts": latency.bursts,
                "per_second": latency.per_second,
                "first_token": None
                if first is None
                else {"ratio": first.ratio.to_dict(), "p50_ms": first.p50_ms, "other_p50_ms": first.baseline_p50_ms},
                "conditions": asdict(latency.conditions),
                "executed": dict(comparison.execution.precisions),
                "runtime": comparison.runtime,
            }
        )
        return
    click.echo(comparison.verdict)
    click.echo(
        f"{shown_ms(latency.p50_ms)} (p25 {shown_ms(latency.p25_ms)}, p90 {shown_ms(latency.p90_ms)}) against "
        f"{shown_ms(latency.baseline_p50_ms)}, {latency.bursts} pairs of bursts; "
        f"{latency.per_second:.1f} {'inferences' if first is None else 'tokens'} a second"
    )
    if first is not None:
        click.echo(f"first token: {shown_ms(first.p50_ms)} against {shown_ms(first.baseline_p50_ms)}")
    executed = ", ".join(f"{count} in {name}" for name, count in sorted(comparison.execution.precisions.items()))
    click.echo(f"executed layers: {executed}")
