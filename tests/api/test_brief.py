"""What is shown of results where a person looks at them: few lines, and HTML in which no name does anything."""

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from networks import conv_net
from records import evaluation, record
from test_result import result

import autoq
from autoq.api import Candidate, Comparison, Scoring, SensitivityReport, UnitSensitivity
from autoq.calibration import Images, Statistics
from autoq.core import (
    CompressionRecipe,
    DistortionMeasure,
    Estimate,
    Plan,
    QuantizationPlan,
    Recipe,
    WeightFormat,
    WeightMode,
)
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import ExecutedLayer, ExecutionReport, LayerProfile, Profile
from autoq.evaluation.scoring import Accuracy
from autoq.graph import IgnoredScope, analyze
from autoq.searching.front import TrialTable
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront
from autoq.searching.space import SearchSpace

HOSTILE = "<b>x</b>&\"'</svg><script>alert(1)</script>\nline"
LARGEST = 100_000


def many(count, on_front):
    """So many trials, some of which are on the front."""
    rng = np.random.default_rng(0)
    for number in range(count):
        front = number < on_front
        drop, ratio = (0.001 * number, 1 - 0.9 * number / on_front) if front else rng.uniform(0.5, 1, 2) + 0.5
        made = record(number, drop, ratio, width=1e-5, origin=HOSTILE if number == 1 else "front")
        layers = tuple(ExecutedLayer(f"{HOSTILE}{n}", "Convolution", "u8", "k", ("conv",)) for n in range(100))
        yield replace(made, evaluation=replace(made.evaluation, execution=ExecutionReport(layers)))


LARGE = result(
    (*many(300, 60), record(300, state=TrialState.FAILED, evaluation=None, error=HOSTILE)),
    model_name=HOSTILE,
    metric=HOSTILE,
    notes={"proof": "much to say " * 200},
    holdout_front={59: Accuracy(0.8, Estimate(0.1, 0.0, 0.2), 100, np.zeros(100))},
)
LAYERS = tuple(
    LayerProfile(f"{HOSTILE}{n}", "Convolution", "f32", "k", (HOSTILE,), 1 / (n + 1), 0.1, (HOSTILE,), HOSTILE)
    for n in range(400)
)
UNITS = tuple(
    UnitSensitivity(
        unit=f"{HOSTILE}{n}",
        groups=tuple("abcdef"),
        ops=tuple("abcdef"),
        types=("Convolution",) * 30,
        distortion=np.inf if n == 0 else 1 / n,
        share=np.inf if n == 0 else 1 / n,
        left=0.5,
        gain=0.1,
    )
    for n in range(300)
)


def report(units=UNITS):
    return SensitivityReport(
        units=units,
        interactions={},
        whole=1.0,
        inferences=9,
        measure=DistortionMeasure.NMSE,
        scope=None,
        place=lambda _: pytest.fail("placed"),
    )


UNKNOWN = Scoring(Estimate.unknown(0.5), np.empty(0), Estimate.unknown(-0.01), 0)
SHOWN = {
    "result": LARGE,
    "result of nothing": result((record(0, state=TrialState.FAILED, evaluation=None, error=HOSTILE),)),
    "front": LARGE.front,
    "empty front": ParetoFront([]),
    "scoring": Scoring(Estimate(0.5, 0.4, 0.6), np.zeros(10_000), Estimate(0.01, 0.0, 0.02), 10_000),
    "scoring of one number": UNKNOWN,
    "report": report(),
    "empty report": report(()),
    "profile": Profile(LAYERS, 3.0, {"a": HOSTILE}),
    "empty profile": Profile((), 0.0, {}),
}


class Page(HTMLParser):
    """What a browser would make of it: tags in their order, and texts."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.texts, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def in_lines(text):
    lines = text.split("\n")
    assert 1 <= len(lines) <= 20
    assert max(map(len, lines)) <= 120
    return lines


@pytest.mark.parametrize("name", SHOWN)
def test_a_result_is_shown_in_few_lines_and_as_table_and_picture(name):
    shown = SHOWN[name]
    in_lines(repr(shown))
    content = shown._repr_html_()
    assert content == shown._repr_html_()
    assert len(content.encode()) < LARGEST
    page = Page()
    page.feed(content)
    page.close()
    assert not page.open
    assert {"table", "svg"} <= set(page.seen)
    # Of tags there are those alone that are written here; what a name says is text.
    assert page.seen.count("b") == (0 if "<p><b>" not in content else 1)
    assert not {"script", "img", "iframe"} & set(page.seen)
    assert not [attribute for attribute in page.attributes if attribute.startswith("on")]
    assert "http" not in content
    if not name.startswith(("empty", "scoring", "result of")):
        assert "<b>x</b>" in "".join(page.texts)


def test_what_is_shown_is_what_was_found():
    shown = Scoring(Estimate(0.5, 0.4, 0.6), np.zeros(10_000), Estimate(0.01, 0.0, 0.02), 10_000)
    assert " ".join(repr(shown).split()) == f"Scoring: {shown.verdict}"
    assert "<td >0.5000 [0.4000, 0.6000]</td>" in shown._repr_html_()
    assert "<td >10000</td>" in shown._repr_html_()
    lines = repr(LARGE.front).split("\n")
    assert lines[0] == "Pareto front: 60 of 301 trials"
    assert lines[-1] == "... and 44 more"
    assert lines[2].split()[0] == str(LARGE.front[0].number)
    small = result()
    assert small.verdict[:60] in repr(small)
    assert str(small.best.record.number) in repr(small)
    assert "5 units" in repr(report(UNITS[:5]))
    assert "fails" in repr(report())
    assert "... and 383 more" in repr(SHOWN["profile"])


COMPARISON = Comparison(evaluation().latency, ExecutionReport(()), {"x": "y" * 10_000}, Estimate(1, 0.9, 1.1))
GRAPH = analyze(conv_net())
INT8 = WeightFormat(WeightMode.INT8_ASYM)
BRIEF = {
    "candidate": LARGE.candidate(1),
    "failed candidate": Candidate(LARGE.records[-1], lambda _: None),
    "comparison": COMPARISON,
    "record": LARGE.records[1],
    "evaluation": LARGE.records[1].evaluation,
    "accuracy": replace(LARGE.records[1].evaluation.accuracy, scores=np.zeros(10**6)),
    "latency": LARGE.records[1].evaluation.latency,
    "execution": LARGE.records[1].evaluation.execution,
    "info": LARGE.info,
    "table": TrialTable.of(LARGE.front, LARGE.info),
    "row": TrialTable.of(LARGE.front, LARGE.info).rows[0],
    "plan": Plan.quantized(Recipe(), {f"group {n}": "int8" for n in range(1000)}),
    "part of a plan": QuantizationPlan(Recipe(), {f"group {n}": "int8" for n in range(1000)}),
    "plan of weights": autoq.CompressionPlan(
        CompressionRecipe(format=INT8), {f"weight {n}": INT8 for n in range(1000)}
    ),
    "format of a weight": INT8,
    "recipe": Recipe(),
    "space": SearchSpace.load("cnn"),
    "runtime": RuntimeConfig(properties={f"KEY_{n}": HOSTILE for n in range(100)}),
    "scope": IgnoredScope(names=[HOSTILE * 50] * 200),
    "graph": GRAPH,
    "images": Images((Path(HOSTILE),) * 1000, (), (None,) * 1000),
    "statistics": Statistics(np.zeros((300, 500)), {f"tap {n}": (n, n + 1) for n in range(500)}),
    "group": GRAPH.groups[0],
    "layer": LAYERS[0],
    "unit": UNITS[1],
}


@pytest.mark.parametrize("name", BRIEF)
def test_parts_of_it_are_shown_in_few_lines(name):
    assert isinstance(BRIEF["evaluation"], Evaluation)
    lines = in_lines(repr(BRIEF[name]))
    assert lines[0].startswith(type(BRIEF[name]).__name__)


def test_what_is_public_and_holds_much_is_brief():
    """Whoever makes another class of results is reminded of it."""
    told = {type(value).__name__ for value in (*SHOWN.values(), *BRIEF.values())}
    # Errors, words, protocols, and what holds nothing large.
    others = {"AutoqError", "BudgetError", "CorpusMetric", "Precision", "RunFolder", "SearchObserver"}
    classes = {name for name in autoq.__all__ if isinstance(getattr(autoq, name), type)}
    assert not classes - told - others


HEAVY = """
import sys
from test_brief import SHOWN
for shown in SHOWN.values():
    repr(shown), shown._repr_html_()
assert not {"matplotlib", "pandas", "mlflow", "rich"} & set(sys.modules), set(sys.modules)
"""


@pytest.mark.slow
def test_nothing_heavy_is_imported_to_show_it(request):
    places = [str(request.path.parent), str(request.path.parents[1]), *sys.path]
    code = f"import sys; sys.path[:0] = {places[:2]!r}\n{HEAVY}"
    subprocess.run([sys.executable, "-c", code], check=True)
