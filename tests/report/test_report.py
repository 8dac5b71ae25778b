"""What a person gets to see."""

import html
import io
import re
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, run
from records import evaluation, record
from rich.console import Console

from autoq.core import Estimate, OutputError, Plan, Precision, RangeEstimator, Recipe
from autoq.evaluation.scoring import Accuracy
from autoq.report import LiveTable, front_table, write_report
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.records import Limits, TrialState
from autoq.searching.shown import ParetoFront

RECORDS = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float"),
    record(1, 0.004, 0.5, origin="int8"),
    record(2, 0.03, 0.4, feasible=False),
    record(3, 0.002, 0.7, origin="<sampler>"),
    record(4, state=TrialState.FAILED, evaluation=None, error="device 'CPU' does not compile the model: no & never"),
]


def info(**changes):
    fields = {
        "name": "net-1",
        "model_name": "net <v2>",
        "metric": "accuracy",
        "device": "CPU",
        "hardware": "a machine",
        "limits": Limits(max_drop=0.01),
        "space": {"presets": ["mixed"]},
        "groups": ("conv_1", "conv_2"),
        "float_accuracy": Accuracy(0.9, Estimate(0, 0, 0), 100, np.zeros(100)),
        "float_latency": evaluation().latency,
        "n_trials": 10,
        "timeout_s": None,
        "seed": 0,
        "settings": {"plans": 128.0, "level": "group", "units": 2, "hardware": {"name": "a machine"}},
    }
    return SearchInfo(**(fields | changes))


def table_of(records, limits=None, **changes):
    return TrialTable.of(ParetoFront(records), info(limits=limits or Limits(max_drop=0.01)), **changes)


def text_of(table, width=132):
    console = Console(file=io.StringIO(), width=width)
    console.print(front_table(table, width))
    return console.file.getvalue()


def page_of(folder, table, **given):
    return write_report(folder, info(limits=table.limits), table, **({"verdict": ""} | given)).read_text("utf-8")


def test_the_page_holds_every_trial_and_the_verdict(tmp_path):
    holdout = Accuracy(0.89, Estimate(0.006, 0.001, 0.011), 3000, np.zeros(3000))
    table = table_of(RECORDS, held_out={1: holdout})
    given = {"verdict": "trial 1: drop & all", "notes": ["on 3,000 held-out samples"], "reasons": ["because < it is"]}
    text = page_of(tmp_path, table, **given)
    assert "<p>Trial 1: drop &amp; all</p>\n<p>Because &lt; it is</p>" in text
    assert "<p>On 3,000 held-out samples</p>" in text
    (member,) = re.findall(r"<tr class=\"chosen\"><td>1</td>.*?</tr>", text[: text.index("Float model")])
    assert "+0.0060 [+0.0010, +0.0110]" in member
    for wanted in (
        "no &amp; never",
        "outside the budget",
        "&lt;sampler&gt;",
        "net &lt;v2&gt;",
    ):
        assert wanted in text
    every = text[text.index("All 5 trials") :]
    assert re.findall(r"<tr[^>]*><td>(\d+)</td>", every) == [str(r.number) for r in RECORDS]
    assert "<sampler>" not in text
    picture = (tmp_path / "front.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["front.png", "report.html"]


def test_that_numbers_of_trials_are_missing_is_explained(tmp_path):
    why = "umbers that are missing were proposals of models that had been measured"
    apart = [RECORDS[0], RECORDS[1], record(7, 0.002, 0.7)]
    assert why in page_of(tmp_path, table_of(apart))
    assert why not in page_of(tmp_path, table_of(RECORDS))
    for records, is_said in ((apart, True), (RECORDS, False)):
        stream = io.StringIO()
        LiveTable(Console(file=stream, width=150)).on_finish(records, ParetoFront(records), tmp_path)
        assert (why in stream.getvalue()) == is_said


def test_the_page_says_what_groups_of_the_chosen_model_choose(tmp_path):
    plan = Plan.quantized(Recipe(), choices={"conv_1": {"preset": "mixed", "range_estimator": RangeEstimator.MSE}})
    text = page_of(tmp_path, table_of([RECORDS[0], record(1, 0.004, 0.5, plan=plan)]))
    assert "<td>conv_1: preset mixed, range_estimator mse</td>" in text


def test_a_search_without_a_front_still_has_a_page(tmp_path):
    assert "Nothing meets the budget" in page_of(tmp_path, table_of([RECORDS[2]]), verdict="nothing meets the budget")


def test_a_folder_that_cannot_be_written_to(tmp_path):
    with pytest.raises(OutputError, match=r"absent/front\.png' cannot be written: No such file"):
        page_of(tmp_path / "absent", table_of(RECORDS))


def test_the_table_shows_the_front_fastest_first():
    lines = [line for line in text_of(table_of(RECORDS)).splitlines() if re.match(r" *\d+ ", line)]
    assert [int(re.search(r"\d+", line).group()) for line in lines] == [1, 3, 0]
    assert "2.00" in lines[0]
    assert "+0.0040" in lines[0]


def test_members_that_differ_in_their_recipes_alone_share_a_row():
    alike = [record(0, 0.004, 0.5), record(1, 0.005, 0.5), record(2, 0.0045, 0.5)]
    alike[2] = replace(alike[2], evaluation=replace(alike[2].evaluation, size_bytes=900))
    front = ParetoFront([*alike, record(3, 0.002, 0.7)])
    text = text_of(TrialTable.of(front, info(choose="smallest", limits=Limits())))
    rows = re.findall(r"^(\d) tpe .*  1  (.*?) *$", text, flags=re.MULTILINE)
    assert rows == [("2", "chosen tied +2"), ("3", "")]
    assert "+2: 2 more trials with its precisions and other recipes" in text
    pair = text_of(TrialTable.of(ParetoFront(alike[:2]), info(limits=Limits())))
    assert "+1: 1 more trial with its precisions" in pair


def test_a_front_of_many_rows_shows_its_steps_and_the_chosen_one():
    steps = [
        record(i, 0.02 - 0.001 * i, 0.5 + 0.01 * i, plan=Plan.quantized(Recipe(), {str(i): Precision.FLOAT}))
        for i in range(20)
    ]
    beside = [
        record(20 + i, 0.0202 - 0.001 * i, 0.5 + 0.01 * i, plan=Plan.quantized(Recipe(), {f"b{i}": Precision.FLOAT}))
        for i in range(2)
    ]
    text = text_of(table_of([*steps, *beside], Limits()))
    rows = re.findall(r"^ *(\d+) tpe", text, flags=re.MULTILINE)
    assert [int(row) for row in rows] == list(range(20))
    assert "2 more models of the front, tied with these, are not shown here." in text


@pytest.mark.parametrize("terminal", [False, True])
def test_a_search_is_told_from_its_first_stage_to_its_end(terminal, tmp_path):
    stream = io.StringIO()
    table = LiveTable(Console(file=stream, force_terminal=terminal, width=150))
    for done in range(3):
        table.on_stage("collecting calibration statistics", done, 3)
    table.on_start(info(), RECORDS[:1])
    for index, made in enumerate(RECORDS):
        table.on_trial(made, ParetoFront(RECORDS[: index + 1]))
    table.on_finish(RECORDS, ParetoFront(RECORDS), tmp_path)
    text = stream.getvalue()
    assert "collecting calibration statistics" in text
    assert "going on after 1 earlier trial\n" in text
    assert "Pareto front, drop of at most 0.01" in text
    assert "5 trials" in text
    if not terminal:
        assert "trial   4 tpe       failed: device 'CPU'" in text
        assert re.search(r"\n1 int8 .*chosen", text)
        assert "\x1b[" not in text


def test_what_became_known_in_a_search_is_told_at_its_end():
    stream = io.StringIO()
    notes = {"timer": "the timer is off by 5%", "tuning": "no model was tuned: none scores lower"}
    table = LiveTable(Console(file=stream, width=150), notes=lambda: notes)
    table.on_start(info(notes={"timer": notes["timer"]}), [])
    table.on_finish(RECORDS, ParetoFront(RECORDS), None)
    lines = stream.getvalue().splitlines()
    assert [lines.count(note) for note in notes.values()] == [1, 1]
    assert (
        lines.index(notes["timer"]) < lines.index("Pareto front, drop of at most 0.01") < lines.index(notes["tuning"])
    )


def test_the_float_model_alone_is_not_called_chosen():
    stream = io.StringIO()
    table = LiveTable(Console(file=stream, width=150))
    table.on_start(info(), [])
    table.on_finish(RECORDS[:1], ParetoFront([RECORDS[0], RECORDS[2]]), None)
    assert re.search(r"\n0 float ", stream.getvalue())
    assert "chosen" not in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "units", "weights", "expected"),
    [
        ("group", 3, 0, "net <v2>: 3 groups, 1.3e+02 plans, on CPU"),
        ("block", 2, 0, "net <v2>: 2 blocks of 3 groups, 1.3e+02 plans, on CPU"),
        ("prefix", 2, 0, "net <v2>: 2 prefixes of 3 groups, 1.3e+02 plans, on CPU"),
        ("model", 1, 0, "net <v2>: 1 model of 3 groups, 1.3e+02 plans, on CPU"),
        ("block", 9, 7, "net <v2>: 2 blocks of 3 groups and 7 weights, 1.3e+02 plans, on CPU"),
    ],
)
def test_the_first_line_says_what_has_one_precision(level, units, weights, expected):
    stream = io.StringIO()
    settings = {"plans": 128.0, "level": level, "units": units, "weights": weights}
    with LiveTable(Console(file=stream)) as live:
        live.on_start(info(settings=settings, groups=("a", "b", "c")), [])
        assert stream.getvalue().splitlines()[0] == expected
        if weights:
            live.on_start(info(settings=settings | {"units": weights}, groups=()), [])
            assert "\nnet <v2>: 7 weights, 1.3e+02 plans, on CPU\n" in stream.getvalue()


def test_every_limit_is_told(tmp_path):
    table = table_of(RECORDS, Limits(max_drop=0.01, max_latency_ms=1.2, max_size_bytes=2_000_000, float_ms=2.0))
    assert "drop of at most 0.01, at most 1.2 ms, at most 2 MB" in page_of(tmp_path, table)
    assert "Pareto front, drop of at most 0.01, at most 1.2 ms, at most 2 MB" in text_of(table)


def test_the_lines_of_the_page_run_the_chosen_model(tmp_path, monkeypatch):
    folder = tmp_path / "it's <a> run" / "best"
    folder.mkdir(parents=True)
    ov.save_model(conv_net(), folder / "model.xml")
    inputs = [{"name": "image", "shape": [1, 3, 8, 8], "type": "float32"}]
    settings = {"plans": 8.0, "level": "group", "units": 2, "hardware": {"name": "a machine"}, "inputs": inputs}
    plan = Plan.quantized(Recipe(runtime_precision="f32"))
    table = table_of([RECORDS[0], record(1, 0.004, 0.5, plan=plan)])
    page = write_report(tmp_path, info(settings=settings), table, verdict="", model=folder / "model.xml").read_text(
        "utf-8"
    )
    (lines,) = re.findall(r"<pre><code>(.*?)</code></pre>", page, flags=re.DOTALL)
    code, found = html.unescape(lines), {}
    assert len(code.splitlines()) == 3
    assert "{'INFERENCE_PRECISION_HINT': 'f32'}" in code
    monkeypatch.chdir("/")
    exec(code, found)  # noqa: S102  # what a reader of the page does
    np.testing.assert_allclose(found["outputs"][0], run(conv_net(), np.zeros((1, 3, 8, 8), np.float32)), atol=1e-3)


def test_a_page_of_many_trials_is_still_small(tmp_path):
    records = [record(number, 0.02 + number / 1e6, 0.6, feasible=False) for number in range(2000)]
    page = write_report(tmp_path, info(), table_of([*RECORDS, *records]), verdict="")
    assert page.stat().st_size < 1_500_000
    assert "All 2005 are in trials.csv." in page.read_text("utf-8")
