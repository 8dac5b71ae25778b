"""Strange YAML: experiments, search spaces, ignored scopes, and values in one line of a command."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzz_values import anything, changed, damaged, texts
from fuzz_verdict import bounded_memory, each, inputs, judged
from hypothesis import strategies as st

from autoq.cli._pairs import read_pairs
from autoq.config import ExperimentConfig, load_data, load_scope
from autoq.core import ConfigError, yaml_value
from autoq.searching.space import SearchSpace

SPACE = {
    "presets": ["performance", "mixed"],
    "range_estimators": ["min_max", {"minimum": {"statistic": "min", "aggregator": "mean"}, "maximum": {}}],
    "weight_range_estimators": "min_max",
    "subset_sizes": [100, 300],
    "bias_corrections": ["fast"],
    "overflow_fixes": ["disable"],
    "smooth_quant_alphas": [None, 0.5],
    "runtime_precisions": ["default"],
    "ignored_scopes": {"head": {"names": ["a"], "patterns": ["b.*"], "types": ["Add"]}, "one": "x"},
    "per_unit": ["presets"],
    "precisions": "group",
    "sampler": "front",
    "sensitivity": "nmse",
    "sweep": 8,
}
EXPERIMENT = {
    "name": "x",
    "model": "model.xml",
    "calibration": {"images": "folder", "scale": 255},
    "validation": "v.npz",
    "holdout": False,
    "metric": "accuracy",
    "sample": "s.npy",
    "max_drop": "1%",
    "max_latency": "5 ms",
    "max_size": 1000,
    "choose": ["accuracy", "size"],
    "space": SPACE,
    "budget": {"n_trials": 3, "timeout_s": 1.5, "trial_timeout_s": 2},
    "device": "CPU",
    "runtime": {"num_threads": 1, "properties": {"A": "b"}, "input_shapes": {"x": [1, 3]}},
    "storage": "sqlite:///study.db",
    "tracking": {"uri": "off", "experiment": "e"},
    "seed": 0,
    "isolate": True,
    "out": "out",
    "quick": {"budget": {"n_trials": 1}},
}
# Of a few bytes or a few hundred thousand, each of which ended or would have ended in something worse than a sentence.
BOMBS = {
    "brackets": "[" * 500_000,
    "braces": "{a: " * 100_000,
    "indents": "".join(" " * level + "a:\n" for level in range(1_000)),
    "dashes": "- " * 300_000,
    "questions": "? " * 100_000,
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merges": "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [{','.join(['*a'] * 1000)}]}}\n" for n in range(300)),
    "a list in itself": "&a [*a]",
    "a mapping in itself": "model: &a {x: *a}",
    "digits": f"a: {'9' * 900_000}",
    "hexadecimal digits": f"a: 0x{'f' * 900_000}",
    "minutes": "a: 1" + ":59" * 1_000,
    "no date": "a: 2001-99-99",
    "python": "!!python/object/apply:os.system [touch stolen]",
    "no number": '!!int ""',
    "no truth": "!!bool x",
    "no mapping": "!!map [1]",
    "binary": "!!binary aGk=",
    "a key twice": "model: a\nmodel: b",
    "a key that is a list": "? [a]\n: b",
    "nul": "a: \x00",
    "tab": "\ta: b",
    "documents": "---\n" * 100_000,
    "a long text": f"a: {'x' * 2_000_000}",
    "many values": "[" + "a," * 400_000 + "]",
    "utf-16": "a: b".encode("utf-16"),
    "utf-16 without its mark": "a: b".encode("utf-16-le"),
    "latin-1": "a: é".encode("latin-1"),
    "mark": b"\xef\xbb\xbfmodel: a",
    "undecodable": b"\xff\xfe\xff",
    "nothing": b"",
    "a half of a character": "a: \ud800",
}
# Of these, all is read before it is known how much it is.
LONG = {"documents", "many values", "merges", "brackets"}
LOADERS = {
    "experiment": ExperimentConfig.load,
    "quick experiment": lambda path: ExperimentConfig.load(path, quick=True),
    "space": SearchSpace.load,
    "scope": load_scope,
}


def as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "bomb", [pytest.param(bomb, marks=[pytest.mark.slow] if bomb in LONG else []) for bomb in BOMBS]
)
def test_a_bomb_is_read_or_refused(bomb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_bytes(as_bytes(BOMBS[bomb]))
    with bounded_memory():
        for load in LOADERS.values():
            judged(load, tmp_path / "x.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than 1,000,000"):
        ExperimentConfig.load("/dev/zero")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, null, true, 1.5]", {"a": 1, "b": ["x", None, True, 1.5]}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]", {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}] * 2}),
        ("a: 2024-01-31", {"a": "2024-01-31"}),
        ("a: b".encode("utf-16"), {"a": "b"}),
        ("", None),
    ],
)
def test_plain_values_are_read(text: str | bytes, value: Any) -> None:
    assert yaml_value(text, "file") == value


@inputs(10, 500)
def test_yaml_of_any_text(count: int, tmp_path: Path) -> None:
    """What says nothing sensible, and what was sensible before it was damaged."""
    path = tmp_path / "x.yaml"
    whole = [yaml.safe_dump(plain, allow_unicode=True).encode() for plain in (EXPERIMENT, SPACE)]
    strange = st.text().map(as_bytes) | st.binary() | damaged(whole[0]) | damaged(whole[1])

    def judge(content: bytes) -> None:
        path.write_bytes(content)
        for load in LOADERS.values():
            judged(load, path)

    each(count, strange, judge)


@inputs(10, 500)
def test_an_experiment_of_any_values(count: int, tmp_path: Path) -> None:
    """Every key with every kind of value; what is read gives the arguments of a search, or says why not."""
    path = tmp_path / "x.yaml"

    def judge(values: Any) -> None:
        try:
            path.write_text(yaml.dump(values, allow_unicode=True), "utf-8", "surrogatepass")
        except (RecursionError, yaml.YAMLError, ValueError, TypeError):
            return
        for quick in (False, True):
            if (config := judged(ExperimentConfig.load, path, quick=quick)) is not None:
                judged(config.search_arguments)

    each(count, changed(EXPERIMENT), judge)


@inputs(10, 500)
def test_a_space_of_any_values(count: int) -> None:
    def judge(values: Any) -> None:
        before = copy.copy(values)
        space = judged(SearchSpace.load, values)
        if space is None:
            return
        assert SearchSpace.load(space.to_dict()) == space
        if isinstance(values, dict):
            assert list(values) == list(before)
        judged(space.default_recipe)
        judged(space.needs)

    each(count, changed(SPACE) | anything, judge)


@inputs(6, 300)
def test_pairs_and_data_of_any_text(count: int, tmp_path: Path) -> None:
    """`--set KEY=VALUE` and `--calibration {images: ...}`."""

    def judge(text: str) -> None:
        judged(read_pairs, "--set", [f"a={text}"], "a=b")
        judged(load_data, "{images: " + text, tmp_path)
        judged(load_data, "{csv: x.csv, text: " + text + "}", tmp_path)

    each(count, texts | st.sampled_from([b for b in BOMBS.values() if isinstance(b, str)]), judge)
