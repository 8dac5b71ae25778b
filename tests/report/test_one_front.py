"""One front everywhere: each output of a search is read back by itself, and has the same members and figures."""

import io
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from outputs import in_chart, in_csv, in_page, in_picture, in_terminal, says
from records import record
from rich.console import Console
from terminal import Screen, run_in_terminal
from test_report import info

from autoq.core import Estimate
from autoq.evaluation.latency import FirstToken
from autoq.report import LiveTable, write_report
from autoq.searching.front import TrialTable
from autoq.searching.shown import ParetoFront, plot_table, table_csv
from autoq.tracking._entries import trial_metrics

EARLIER = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float"),
    record(1, 0.004, 0.5, origin="int8"),
    record(2, 0.0042, 0.501, origin="recipe"),
    record(3, 0.002, 0.7, origin="predicted"),
    record(4, 0.03, 0.4, feasible=False),
]
# What the closing session found: the fastest one is slower than it was, and another one is chosen.
CLOSED = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float", remeasured=True),
    record(1, 0.0051, 0.5517, origin="int8", remeasured=True),
    record(2, 0.0052, 0.5512, origin="recipe", remeasured=True),
    record(3, 0.0021, 0.7304, origin="predicted", remeasured=True),
    record(4, 0.03, 0.4, feasible=False),
]


def ends(row, name):
    return [float(row[f"{name}{end}"]) for end in ("", "_low", "_high")]


def check(terminal, page, rows, axes):
    """All outputs beside trials.csv.

    Args:
        terminal: What stands on the terminal at the end.
        page: Text of report.html.
        rows: Of trials.csv.
        axes: The picture.
    """
    by_number = {row["trial"]: row for row in rows}
    front = sorted((row for row in rows if row["rank"]), key=lambda row: int(row["rank"]))
    heads = [row["trial"] for row in front if row["like"] == row["trial"]]
    shown, on_page = in_terminal(terminal), in_page(page, "Pareto front")
    # Members and order.
    assert [row["trial"] for row in on_page] == [row["trial"] for row in front]
    assert [row["trial"] for row in shown] == heads
    assert [float(row["speedup"]) for row in front] == sorted((float(row["speedup"]) for row in front), reverse=True)
    # Words.
    for row in on_page:
        told = by_number[row["trial"]]
        assert ("chosen" in row["standing"]) == (told["chosen"] == "True")
        assert ("tied" in row["standing"]) == (told["tied"] == "True")
        assert row["origin"] == told["origin"]
    same = {row["trial"]: row for row in on_page}
    for row in shown:
        assert {title: same[row["trial"]].get(title, "") for title in row} == row
    # Figures.
    chart = in_chart(page)
    assert set(map(str, chart)) <= {row["trial"] for row in rows if row["accuracy_drop"]}
    assert set(map(int, heads)) <= set(chart)
    for row in [*shown, *on_page, *in_page(page, "trials")]:
        told = by_number[row["trial"]]
        if not told["accuracy_drop"]:
            continue
        assert says(row["accuracy drop"], *ends(told, "accuracy_drop")), row
        assert says(row["speed-up"], *ends(told, "speedup")), row
        for title, name in (("ms", "p50_ms"), ("MB", "size_mb"), ("float groups", "float_groups")):
            if title in row:
                assert says(row[title], float(told[name])), (row, title)
        if row.get("held-out accuracy drop"):
            assert says(row["held-out accuracy drop"], *ends(told, "held_out_accuracy_drop"))
        lines = chart.get(int(row["trial"]))
        if lines is not None:
            assert f"accuracy drop {row['accuracy drop']}" in lines
            assert f"speed-up {row['speed-up']}" in lines
    # The picture: the same points, axes of the same names that grow to the same sides.
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("speed-up", "accuracy drop")
    assert axes.get_xlim()[0] < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
    drawn = in_picture(axes)
    for number in heads:
        told = by_number[number]
        assert drawn[number] == [(float(told["speedup"]), float(told["accuracy_drop"]))]
    points = [point for label, some in drawn.items() if not label.isdigit() and "chosen" not in label for point in some]
    measured = [(float(row["speedup"]), float(row["accuracy_drop"])) for row in rows if row["accuracy_drop"]]
    assert sorted(points) == sorted(measured)
    arrows = re.findall(r"<text[^>]*>(accuracy drop|speed-up) →</text>", page)
    assert sorted(arrows) == ["accuracy drop", "speed-up"]


@pytest.mark.parametrize("width", [80, 150])
def test_what_the_closing_session_found_is_what_all_outputs_have(width, tmp_path):
    table = TrialTable.of(ParetoFront(CLOSED), info())
    assert table.chosen.number == 1
    stream = io.StringIO()
    with LiveTable(Console(file=stream, force_terminal=True, width=width, color_system=None)) as live:
        live.on_start(info(), [])
        for place, made in enumerate(EARLIER, 1):
            live.on_trial(made, ParetoFront(EARLIER[:place]))
        live.on_stage("measuring 4 finalists together")
        live.on_finish(CLOSED, ParetoFront(CLOSED), tmp_path)
    screen = Screen(width)
    screen.feed(stream.getvalue().replace("\n", "\r\n"))
    page = write_report(tmp_path, info(), table, verdict="").read_text("utf-8")
    (tmp_path / "trials.csv").write_text(table_csv(table), "utf-8")
    check(screen.text, page, in_csv(tmp_path / "trials.csv"), plot_table(table))
    assert screen.text.count("\nPareto front, drop of at most 0.01\n") == 1
    assert "finalists" not in screen.text
    assert screen.cursor_is_shown
    said = screen.text.splitlines()
    for word in ("chosen: ", "tied: ", "+1: ", "predicted: ", "float: ", "int8: "):
        assert sum(line.startswith(word) for line in said) == 1, word
    assert not any(line.startswith(("recipe: ", "front: ", "like ")) for line in said)


def test_the_time_to_the_first_token_of_decoders_is_told_everywhere(tmp_path):
    def decoder(made, value):
        first = FirstToken(Estimate(value, value - 0.01, value + 0.01), 80 * value, 80.0)
        latency = replace(made.evaluation.latency, first_token=first)
        return replace(made, evaluation=replace(made.evaluation, latency=latency))

    records = [decoder(CLOSED[0], 1.0), decoder(CLOSED[1], 0.8), decoder(CLOSED[3], 0.9)]
    asked = replace(info(), float_latency=records[0].evaluation.latency)
    table = TrialTable.of(ParetoFront(records), asked)
    stream = io.StringIO()
    with LiveTable(Console(file=stream, width=150)) as live:
        live.on_start(asked, [])
        live.on_finish(records, ParetoFront(records), None)
    assert "2.00 ms per token after 80.0 ms to the first one; timer against itself" in stream.getvalue()
    assert [row["first token"] for row in in_terminal(stream.getvalue())] == [
        "1.25x, 64.0 ms",
        "1.11x, 72.0 ms",
        "1.00x, 80.0 ms",
    ]
    page = write_report(tmp_path, asked, table, verdict="").read_text("utf-8")
    assert [row["first token"] for row in in_page(page, "Pareto front")] == [
        "1.25x, 64.0 ms",
        "1.11x, 72.0 ms",
        "1.00x, 80.0 ms",
    ]
    assert re.search(r"<td>64\.0 ms, speed-up 1\.250? \[1\.23\d*, 1\.2\d*\]</td>", page)
    metrics = trial_metrics(table.chosen)
    assert (metrics["first_token_speedup"], metrics["first_token_p50_ms"]) == (1.25, 64.0)
    # Other models have no such column.
    assert (
        "first token"
        not in write_report(tmp_path, info(), TrialTable.of(ParetoFront(CLOSED), info()), verdict="").read_text()
    )


SEARCH = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from networks import conv_net, images, run
from autoq.api.searches import _prepare
from autoq.api.searches import _shares
import autoq

if __name__ == "__main__":
    _prepare._TIMING_S, _shares.FINALIST_S = 0.05, 0.1
    x = images(120, seed=2)
    y = run(conv_net(batch=120), x).argmax(axis=1)
    autoq.search(
        conv_net(channels=16, size=24), calibration=images(24, seed=1, size=24),
        validation=(images(120, seed=2, size=24), y), metric="accuracy", max_drop=0.9,
        space={"subset_sizes": [24, 8]}, n_trials=10, tracking_uri=sys.argv[3], out=sys.argv[2],
        holdout=(images(40, seed=3, size=24), y[:40]),
    )
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("it's a run")
    script, out = folder / "script.py", folder / "out"
    script.write_text(SEARCH, "utf-8")
    tests = Path(__file__).parents[1]
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    command = [sys.executable, str(script), str(tests), str(out), uri]
    screen, sent = run_in_terminal(command, {"PYTHONPATH": str(tests.parent)})
    return screen, sent, out, uri


@pytest.mark.slow
def test_a_search_leaves_its_last_table_on_a_terminal_of_80_columns(searched):
    screen, sent, out, _ = searched
    rows = in_terminal(screen.text)
    assert rows
    assert [row for row in rows if "chosen" in row["standing"]]
    assert "accuracy drop" in rows[0]
    assert screen.text.count("Pareto front, drop of at most 0.9") == 1
    assert screen.text.splitlines()[-1].endswith(str(out.name)) or str(out) in screen.text.replace("\n", "")
    for word in {row["origin"] for row in rows}:
        assert re.search(rf"^{word}: ", screen.text, flags=re.MULTILINE)
    assert "finalists together" in sent
    assert "finalists together" not in screen.text
    assert screen.cursor_is_shown


@pytest.mark.slow
def test_all_outputs_of_a_finished_search_have_the_same_figures(searched):
    from mlflow import MlflowClient

    from autoq import SearchResult

    screen, _, out, uri = searched
    result, rows = SearchResult.load(out), in_csv(out / "trials.csv")
    page = (out / "report.html").read_text("utf-8")
    check(screen.text, page, rows, plot_table(result.table))
    # The data frame.
    frame = result.to_pandas()
    assert list(frame.columns) == list(rows[0])
    for row, kept in zip(rows, frame.to_dict("records"), strict=True):
        for name, text in row.items():
            value = kept[name]
            missing = value is None or (isinstance(value, float) and math.isnan(value))
            assert (text == "") if missing else (text == str(value) or float(text) == float(value)), (name, text, value)
    # MLflow: children by number.
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("autoq")
    runs = client.search_runs([experiment.experiment_id])
    children = {run.data.tags["autoq.trial"]: run for run in runs if "autoq.trial" in run.data.tags}
    (parent,) = [run for run in runs if "autoq.trial" not in run.data.tags]
    assert set(children) == {row["trial"] for row in rows}
    for row in rows:
        metrics, params = children[row["trial"]].data.metrics, children[row["trial"]].data.params
        for name in ("accuracy_drop", "speedup"):
            assert [metrics.get(f"{name}{end}", math.nan) for end in ("", "_low", "_high")] == ends(row, name)
        for name, value in metrics.items():
            assert float({"True": 1, "False": 0}.get(row[name], row[name])) == value, name
        recipe = params.keys() & row.keys()
        assert {"preset", "range_estimator", "subset_size"} <= recipe
        assert all(row[name] == ("" if params[name] == "None" else params[name]) for name in recipe)
        assert children[row["trial"]].data.tags["autoq.front"] == str(bool(row["rank"])).lower()
    (chosen,) = [row for row in rows if row["chosen"] == "True"]
    assert parent.data.metrics["search/best_speedup"] == float(chosen["speedup"])
    assert parent.data.metrics["search/best_accuracy_drop"] == float(chosen["accuracy_drop"])
    assert parent.data.metrics["search/front_size"] == sum(bool(row["rank"]) for row in rows)
    view = json.loads(experiment.tags["mlflow.sharedViewState.autoq"])
    (scatter,) = [chart for chart in view["compareRunCharts"] if chart["type"] == "SCATTER"]
    assert (scatter["xaxis"]["key"], scatter["yaxis"]["key"]) == ("speedup", "accuracy_drop")
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`speedup`", False)
