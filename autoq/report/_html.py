"""A search as a page and a picture that need nothing but themselves."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from autoq.core import drafted, shown, shown_ms, write_text
from autoq.evaluation import Accuracy, Evaluation
from autoq.search import ParetoFront, SearchInfo, TrialRecord, TrialState, plot_front

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #202124; max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid #e3e5e8; }
th:nth-child(2), td:nth-child(2), th:last-child, td:last-child { text-align: left; }
th { color: #5f6368; font-weight: 600; } .wide td, .wide th { text-align: left; }
.verdict { background: #eef4fb; border-left: 4px solid #1f6fb4; padding: .6rem 1rem; }
details { margin-top: 1rem; } summary { cursor: pointer; color: #1f6fb4; } .muted { color: #5f6368; }
"""


def write_report(
    folder: Path,
    info: SearchInfo,
    records: Sequence[TrialRecord],
    front: ParetoFront,
    best: TrialRecord | None,
    *,
    verdict: str,
    notes: Sequence[str] = (),
    holdout_front: Mapping[int, Accuracy] = MappingProxyType({}),
) -> Path:
    """Writes `front.png` and `report.html`.

    Args:
        folder: Where to; it must exist.
        info: What was searched.
        records: Every trial.
        front: Of the records.
        best: The chosen trial, None where nothing meets the budget.
        verdict: The outcome in a sentence.
        notes: More sentences about it.
        holdout_front: By trial number, scores on data that the search never saw.

    Returns:
        Path of the page.

    Raises:
        OutputError: The folder cannot be written to.
    """
    _write_picture(folder / "front.png", info, front)
    return write_text(folder / "report.html", _page(info, records, front, best, verdict, notes, holdout_front))


def _write_picture(path: Path, info: SearchInfo, front: ParetoFront) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = plot_front(front, figure.add_subplot(), limits=info.limits)
    # A name is no formula, and one that the font lacks letters of is no reason for a warning.
    axes.set_title(f"{info.model_name} on {info.settings['hardware']['name']}", parse_math=False)
    with drafted(path) as draft, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(draft, format="png", dpi=130)


def _page(
    info: SearchInfo,
    records: Sequence[TrialRecord],
    front: ParetoFront,
    best: TrialRecord | None,
    verdict: str,
    notes: Sequence[str],
    holdout_front: Mapping[int, Accuracy],
) -> str:
    parts = [
        f"<h1>{_text(info.model_name)}</h1>",
        f"<p class=muted>{_text(info.name)} on {_text(info.hardware)}</p>",
        f"<p class=verdict>{_text(verdict)}</p>",
        *(f"<p>{_text(note[:1].upper() + note[1:])}</p>" for note in notes),
        _chart(info, front),
        "<h2>Pareto front</h2>",
        _trials(front, front, best, holdout_front),
        "<h2>Float model</h2>",
        _facts(
            {
                "score": f"{info.metric} {shown(info.float_accuracy.mean, significant=4)} on {info.float_accuracy.n} "
                "samples, in f32",
                "latency": f"{shown_ms(info.float_latency.baseline_p50_ms)} at the device's default precision",
                "timer against itself": info.float_latency.ratio.shown(least=3),
                "budget": info.limits.summary or "none",
            }
        ),
    ]
    if best is not None and best.evaluation is not None:
        parts += [f"<h2>Chosen: trial {best.number}</h2>", _chosen(best, best.evaluation)]
    parts += [
        f"<details><summary>All {len(records)} trials</summary>{_trials(records, front, best)}</details>",
        f"<details><summary>Search space and settings</summary>{_facts(_settings(info))}</details>",
    ]
    body = "\n".join(parts)
    return f"<!doctype html><meta charset=utf-8><title>{_text(info.model_name)}</title><style>{_STYLE}</style>{body}\n"


def _chart(info: SearchInfo, front: ParetoFront) -> str:
    """The interactive front; plotly is written into the page, so that it opens anywhere."""
    import plotly.graph_objects as go

    members = {record.number for record in front}
    steps = {record.number for record in front.staircase}
    measured = [r for r in front.records if r.state is TrialState.COMPLETE and r.evaluation is not None]
    figure = go.Figure()
    for name, color, chosen in (
        ("outside the budget", "#d7603c", [r for r in measured if not r.feasible]),
        ("within the budget", "#9aa0a6", [r for r in measured if r.feasible and r.number not in members]),
        ("tied with the front", "#7fb2dc", [r for r in front if r.number not in steps]),
        ("Pareto front", "#1f6fb4", list(front.staircase)),
    ):
        evaluations = [e for r in chosen if (e := r.evaluation) is not None]
        if not evaluations:
            continue
        on_front = name == "Pareto front"
        speed = [e.latency.speedup for e in evaluations]
        drop = [e.accuracy.drop for e in evaluations]
        arms = {
            axis: {
                "type": "data",
                "symmetric": False,
                # An interval that is not known has no arms to draw.
                "array": [e.high - e.value if e.known else 0.0 for e in values],
                "arrayminus": [e.value - e.low if e.known else 0.0 for e in values],
                "visible": on_front,
                "thickness": 1,
            }
            for axis, values in (("error_x", speed), ("error_y", drop))
        }
        figure.add_scatter(
            x=[e.value for e in speed],
            y=[e.value for e in drop],
            mode="lines+markers" if on_front else "markers",
            line={"shape": "hv", "width": 1},
            marker={"color": color, "size": 9 if on_front else 6},
            name=name,
            text=[_hover(record) for record in chosen],
            hovertemplate="%{text}<extra></extra>",
            **arms,
        )
    line = {"color": "#d7603c", "dash": "dash", "width": 1}
    if info.limits.max_drop is not None:
        figure.add_hline(y=info.limits.max_drop, line=line)
    if info.limits.max_ratio is not None:
        figure.add_vline(x=1 / info.limits.max_ratio, line=line)
    figure.update_layout(
        template="plotly_white",
        height=460,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        xaxis_title="speed-up over the float model",
        yaxis={"title": "accuracy drop", "autorange": "reversed"},
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False}))


def _hover(record: TrialRecord) -> str:
    recipe = record.plan.recipe
    return (
        f"trial {record.number} ({record.origin})<br>{recipe.preset}, {recipe.range_estimator}, "
        f"{recipe.subset_size} samples<br>bias correction {recipe.bias_correction}, scope {recipe.ignored_scope}"
        f"<br>{len(record.plan.float_groups)} groups in float"
    )


def _trials(
    records: Iterable[TrialRecord],
    front: ParetoFront,
    best: TrialRecord | None,
    holdout_front: Mapping[int, Accuracy] = MappingProxyType({}),
) -> str:
    tied = front.tied
    held_out = ["held-out drop"] if holdout_front else []
    head = ["trial", "from", "drop", *held_out, "speed-up", "ms", "MB", "int8 layers", "float groups", "note"]
    rows = []
    for record in records:
        evaluation = record.evaluation
        if evaluation is None:
            cells = [""] * (5 + len(held_out))
        else:
            cells = [
                evaluation.accuracy.drop.shown(sign=True),
                *(_held_out_drop(record, holdout_front) for _ in held_out),
                evaluation.latency.speedup.shown(least=2),
                shown(evaluation.latency.p50_ms, least=2, significant=3),
                shown(evaluation.size_bytes / 1e6, least=2),
                str(evaluation.execution.int8_layers),
            ]
        remarks = (
            "chosen" if best is not None and record.number == best.number else "",
            record.remark,
            "tied" if record.number in tied else "",
        )
        note = "; ".join(text for text in remarks if text)
        rows.append([str(record.number), record.origin, *cells, str(len(record.plan.float_groups)), note])
    return _table(head, rows)


def _held_out_drop(record: TrialRecord, holdout_front: Mapping[int, Accuracy]) -> str:
    scored = holdout_front.get(record.number)
    return "" if scored is None else scored.drop.shown(sign=True)


def _chosen(record: TrialRecord, evaluation: Evaluation) -> str:
    recipe = {key: str(value) for key, value in record.plan.to_dict()["recipe"].items()}
    floats, latency = sorted(record.plan.float_groups), evaluation.latency
    precisions = ", ".join(f"{count} {name}" for name, count in sorted(evaluation.execution.precisions.items()))
    return _facts(
        {
            "recipe": ", ".join(f"{key} {value}" for key, value in recipe.items()),
            "groups in float": ", ".join(floats) or "none",
            **({"choices of groups": "; ".join(_own_choices(record))} if record.plan.choices else {}),
            "executed layers": precisions,
            "latency": " / ".join(map(shown_ms, (latency.p25_ms, latency.p50_ms, latency.p90_ms)))
            + " (p25 / p50 / p90)",
            "runtime": ", ".join(f"{key}={value}" for key, value in sorted(evaluation.runtime.items())),
        }
    )


def _own_choices(record: TrialRecord) -> Iterator[str]:
    for group, own in record.plan.to_dict()["choices"].items():
        yield f"{group}: " + ", ".join(f"{name} {value}" for name, value in own.items())


def _settings(info: SearchInfo) -> dict[str, str]:
    flat = {
        **info.space,
        **info.settings,
        "choose": info.choose,
        "seed": info.seed,
        "n_trials": info.n_trials,
        "timeout_s": info.timeout_s,
    }
    return {key: str(value) for key, value in flat.items()}


def _facts(facts: dict[str, str]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}</th><td>{_text(value)}</td></tr>" for key, value in facts.items())
    return f"<table class=wide>{rows}</table>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _text(value: str) -> str:
    return html.escape(value)
