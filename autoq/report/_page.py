"""A search as a page and a picture. Each is one file that needs no other."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoq.core import capitalized, drafted, shown, write_text
from autoq.evaluation.latency import time_text
from autoq.report._chosen import chosen_facts, run_lines
from autoq.report._page_parts import SCRIPT, STYLE
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.shown import (
    TimeRow,
    chart_svg,
    legend_html,
    plot_table,
    time_html,
    time_title,
    title_of,
    trials_html,
    why_numbers_miss,
)

# Most trials on the page, so that it opens fast and can be sent by mail. trials.csv has every trial.
_MOST_TRIALS = 1000


def write_report(
    folder: Path,
    info: SearchInfo,
    table: TrialTable,
    *,
    verdict: str,
    reasons: Sequence[str] = (),
    notes: Sequence[str] = (),
    model: Path | None = None,
    time: Sequence[TimeRow] = (),
) -> Path:
    """Writes `front.png` and `report.html`.

    Args:
        folder: The folder; it must exist.
        info: What was searched.
        table: Every trial.
        verdict: The outcome in a sentence.
        reasons: Why the model was chosen, in sentences.
        notes: More sentences about the outcome.
        model: Path of the saved chosen model; None where it is not saved.
        time: Where the time went.

    Returns:
        Path of the page.

    Raises:
        OutputError: The folder cannot be written to.
    """
    with drafted(folder / "front.png") as draft:
        _draw(draft, info, table)
    return write_text(folder / "report.html", _page(info, _parts(info, table, verdict, reasons, notes, model, time)))


def _draw(draft: Path, info: SearchInfo, table: TrialTable) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = plot_table(table, figure.add_subplot())
    # A name is not a formula. Letters that the font lacks are not worth a warning.
    axes.set_title(f"{info.model_name} on {info.settings['hardware']['name']}", parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(draft, format="png", dpi=130)


def _page(info: SearchInfo, parts: Iterable[str]) -> str:
    name, body = html.escape(info.model_name), "\n".join(parts)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{name}: Pareto front</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # No request leaves the page, whatever a name contains.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head>\n"
        f'<body class="autoq-dark"><main>\n{body}\n</main><div id="told" role="tooltip" hidden></div>\n'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _parts(
    info: SearchInfo,
    table: TrialTable,
    verdict: str,
    reasons: Sequence[str],
    notes: Sequence[str],
    model: Path | None,
    time: Sequence[TimeRow],
) -> Iterator[str]:
    yield f"<h1>{html.escape(info.model_name)}</h1>"
    yield f'<p class="faint">{html.escape(info.name)} on {html.escape(info.hardware)}</p>'
    yield '<section class="verdict">'
    yield from (_paragraph(sentence) for sentence in (verdict, *reasons))
    yield "</section>"
    yield from (_paragraph(note) for note in notes)
    yield chart_svg(table, title=f"Pareto front of {info.model_name}")
    yield f"<h2>{html.escape(title_of(table))}</h2>"
    if table.is_closed:
        yield _paragraph("Its models were measured together at the end; these figures replace the earlier ones.")
    yield trials_html(table.front, table.limits, label="Pareto front")
    yield legend_html(table.front)
    if table.chosen is not None:
        yield f"<h2>Chosen: trial {table.chosen.number}</h2>"
        if model is not None and (lines := run_lines(model, info, table.chosen)):
            yield f"<p>It runs with OpenVINO alone:</p><pre><code>{html.escape(lines)}</code></pre>"
        yield _facts(chosen_facts(table.chosen))
    yield "<h2>Float model</h2>"
    yield _facts(_float_facts(info))
    if time:
        yield f"<h2>{html.escape(time_title(time))}</h2>"
        yield time_html(time)
    yield from _all_trials(table)
    yield f"<details><summary>Search space and settings</summary>{_facts(_settings(info))}</details>"


def _all_trials(table: TrialTable) -> Iterator[str]:
    rows = table.rows[:_MOST_TRIALS]
    count = f"All {len(rows)} trials" if len(rows) == len(table.rows) else f"The first {len(rows)} trials"
    yield f"<details><summary>{count}</summary>"
    if len(rows) < len(table.rows):
        yield _paragraph(f"All {len(table.rows)} are in trials.csv.")
    if (why := why_numbers_miss([row.number for row in table.rows])) is not None:
        yield _paragraph(f"{why}.")
    yield f"{trials_html(rows, table.limits, label='trials')}{legend_html(rows)}</details>"


def _float_facts(info: SearchInfo) -> dict[str, str]:
    accuracy = info.float_accuracy
    return {
        "score": f"{info.metric} {shown(accuracy.mean, significant=4)} on {accuracy.n} samples, in f32",
        "latency": f"{time_text(info.float_latency, of_float=True)} at the device's default precision",
        "timer against itself": info.float_latency.ratio.shown(least=3),
        "budget": info.limits.summary or "none",
    }


def _settings(info: SearchInfo) -> dict[str, str]:
    flat: dict[str, Any] = {
        **info.space,
        **info.settings,
        "choose": info.choose,
        "seed": info.seed,
        "n_trials": info.n_trials,
        "timeout_s": info.timeout_s,
    }
    return {key: str(value) for key, value in flat.items()}


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{html.escape(key)}</th><td>{html.escape(value)}</td></tr>' for key, value in facts.items()
    )
    return f'<div class="facts"><table>{rows}</table></div>'


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(capitalized(text))}</p>"
