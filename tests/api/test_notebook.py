"""A notebook that searches: what stands in its cells afterwards."""

import pytest

CELLS = {
    "search": """
import numpy as np
import autoq
from networks import conv_net, images, run

model, x = conv_net(), images(60, seed=2)
y = run(conv_net(batch=60), x).argmax(axis=1)
result = autoq.search(
    model, calibration=x[:8], validation=(x, y), metric="accuracy", n_trials=4, tracking_uri="off",
    space={"subset_sizes": 8, "sweep": 1}, name="<b>bold",
)
""",
    "result": "result",
    "front": "result.front",
    "scoring": 'autoq.evaluate(result.candidate(1).model, (x, y), metric="accuracy", against=model)',
    "sensitivity": "autoq.sensitivity(model, x[:8])",
    "profile": "autoq.profile(model)",
    "candidate": "result.candidate(1)",
    "record": "result.records[1]",
}
PICTURED = ("result", "front", "scoring", "sensitivity", "profile")


@pytest.fixture(scope="module")
def cells(tmp_path_factory, pytestconfig):
    """Outputs of each cell, by its name."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    book = nbformat.v4.new_notebook()
    tests = str(pytestconfig.rootpath / "tests")
    book.cells = [
        nbformat.v4.new_code_cell(code) for code in (f"import sys; sys.path.insert(0, {tests!r})", *CELLS.values())
    ]
    place = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=place).execute()
    nbformat.validate(book)
    return dict(zip(CELLS, (cell.outputs for cell in book.cells[1:]), strict=True))


def data(outputs):
    (shown,) = (output for output in outputs if output.output_type == "execute_result")
    return shown.data


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what the kernel's client says of its ports and loops
@pytest.mark.parametrize("name", [name for name in CELLS if name != "search"])
def test_a_cell_shows_few_lines(cells, name):
    text = data(cells[name])["text/plain"]
    assert len(text.split("\n")) <= 20
    assert len(text) < 2500


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PICTURED)
def test_a_cell_shows_a_table_and_a_picture(cells, name):
    content = data(cells[name])["text/html"]
    assert "<table>" in content
    assert "<svg " in content
    assert len(content) < 100_000
    if name == "result":
        assert "&lt;b&gt;bold" in content
        assert "<b>bold" not in content


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_search_says_a_line_a_trial_and_draws_nothing_over(cells):
    outputs = cells["search"]
    assert {output.output_type for output in outputs} == {"stream"}
    said = {name: "".join(o.text for o in outputs if o.name == name) for name in ("stdout", "stderr")}
    assert said["stdout"] == ""
    assert not set(said["stderr"]) & {"\x1b", "\r", "\b"}
    lines = said["stderr"].split("\n")
    assert sum(line.startswith("trial ") and " ms " in f"{line} " for line in lines) >= 4
    assert len(lines) < 60
    assert any(line.startswith("Pareto front") for line in lines)
