"""Plans of parts by kind: what is written is read again, and what another autoq wrote is refused by name."""

import json
import pickle
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_part import Widths

from autoq.core import (
    CachePrecision,
    OtherVersionError,
    Plan,
    PlanError,
    PruningPlan,
    QuantizationPlan,
    Recipe,
    RuntimeChoice,
    RuntimePlan,
    RuntimePrecision,
    StoredFileError,
)
from autoq.core.plans import _plan

RECIPES = st.builds(Recipe, subset_size=st.integers(1, 9), runtime_precision=st.sampled_from(RuntimePrecision))
PRECISIONS = st.dictionaries(st.text(max_size=4), st.sampled_from(["float", "int8", "int8_weights", "fp8_e5m2"]))
PARTS = st.builds(QuantizationPlan, RECIPES, PRECISIONS)
RUNTIMES = st.builds(
    RuntimePlan,
    st.none() | st.integers(0, 256),
    st.none() | st.sampled_from(CachePrecision),
    st.none() | st.floats(0, 1),
)


@pytest.fixture
def two_kinds(monkeypatch):
    """The toy is known beside quantization, and comes before it, as removing channels does."""
    kinds = MappingProxyType({"widths": Widths.from_dict, **_plan.PART_KINDS})
    monkeypatch.setattr(_plan, "PART_KINDS", kinds)


@given(PARTS)
def test_a_plan_of_one_part_survives_json_and_pickle(part):
    plan = Plan.of(part)
    written = json.loads(plan.to_json())
    assert [found["kind"] for found in written["parts"]] == ["quantization"]
    again = Plan.from_dict(written)
    assert again == plan == pickle.loads(pickle.dumps(plan)) == Plan.of(plan)  # noqa: S301  # our own bytes
    assert hash(again) == hash(plan)
    assert again.quantization == part
    assert plan.runtime_precision == part.recipe.runtime_precision
    assert (plan.float_groups, plan.settings, plan.summary) == (part.float_groups, part.settings, part.summary)


@pytest.mark.usefixtures("two_kinds")
@given(PARTS, st.dictionaries(st.text(max_size=4), st.floats(0.1, 1)))
def test_a_further_kind_is_written_and_read_beside_it(part, kept):
    widths = Widths(tuple(sorted(kept.items())))
    plan = Plan((part, widths))
    assert plan == Plan((widths, part)) == Plan.from_dict(json.loads(plan.to_json())) == Plan.of(part).having(widths)
    assert plan.kinds == ("widths", "quantization")
    assert plan != Plan.of(part)
    assert plan.computes_in != Plan.of(part).computes_in
    # What it says of quantization is what that part says.
    assert plan.quantization == part
    assert plan.float_groups == part.float_groups
    assert plan.runtime_precision == part.recipe.runtime_precision
    assert plan.settings == {"criterion": "norm", **part.settings}
    assert plan.facts == {"narrowed": "some", **part.facts}
    assert plan.summary == f"narrowed, {part.summary}"
    assert plan.having(Widths()).parts == (Widths(), part)


@pytest.mark.usefixtures("two_kinds")
def test_a_plan_that_does_not_quantize_has_nothing_of_it():
    plan = Plan.of(Widths((("conv", 0.5),)))
    assert not plan.quantizes
    assert (plan.float_groups, plan.runtime_precision) == (frozenset(), RuntimePrecision.DEFAULT)
    with pytest.raises(PlanError, match=r"no part of kind 'quantization'; it has \('widths',\)"):
        _ = plan.quantization


@given(PARTS, RUNTIMES)
def test_what_a_device_is_told_comes_from_both_parts(part, runtime):
    plan = Plan((runtime, part))
    assert plan == Plan.from_dict(json.loads(plan.to_json())) == pickle.loads(pickle.dumps(plan))  # noqa: S301
    assert plan.kinds == ("quantization", "runtime")
    assert plan.runtime_choice == RuntimeChoice(part.recipe.runtime_precision, runtime)
    assert Plan.of(runtime).runtime_choice == RuntimeChoice(plan=runtime)
    expected = {
        "INFERENCE_PRECISION_HINT": part.recipe.runtime_precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": runtime.dynamic_quantization_group_size,
        "KV_CACHE_PRECISION": runtime.kv_cache_precision,
        "CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": runtime.cpu_sparse_weights_decompression_rate,
    }
    left = {None, RuntimePrecision.DEFAULT}
    assert plan.runtime_choice.properties == {name: str(value) for name, value in expected.items() if value not in left}
    is_default = runtime == RuntimePlan()
    assert (plan.summary == part.summary) == is_default
    assert (plan.computes_in == Plan((part, RuntimePlan())).computes_in) == is_default
    assert plan.settings == {**part.settings, **runtime.to_dict()}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dynamic_quantization_group_size": -1}, "dynamic_quantization_group_size is -1: it must be .*0"),
        ({"dynamic_quantization_group_size": True}, "dynamic_quantization_group_size is True"),
        ({"dynamic_quantization_group_size": 32.0}, "dynamic_quantization_group_size is 32.0"),
        ({"cpu_sparse_weights_decompression_rate": 1.5}, r"rate is 1\.5: it must be a share of zeros from 0 to 1"),
        ({"cpu_sparse_weights_decompression_rate": True}, "rate is True"),
        ({"kv_cache_precision": "int8"}, "cache precision 'int8' is unknown: did you mean 'i8'"),
        ({"kv_cache_precisions": "u8"}, "did you mean 'kv_cache_precision'"),
    ],
)
def test_a_choice_that_no_device_has_is_refused(values, message):
    with pytest.raises(PlanError, match=message):
        RuntimePlan.from_dict(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": 3, "parts": []}, "plan is of version 3, but this autoq reads version 2"),
        ({"recipe": {}, "precisions": {}}, "plan says no version, but this autoq reads version 2"),
        (
            {"version": 2, "parts": [{"kind": "widths"}]},
            "part of kind 'widths', which this autoq does not know: known: compression",
        ),
        ({"version": 2, "parts": [{"kind": "quantisation"}]}, "did you mean 'quantization'"),
        ({"version": 2, "parts": [{}]}, "part of kind None, which this autoq does not know"),
    ],
)
def test_what_another_autoq_wrote_is_refused_by_name(values, message):
    with pytest.raises(OtherVersionError, match=message):
        Plan.from_dict(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "a plan"),
        ({"version": 2, "part": []}, "Plan key 'part' is unknown: did you mean 'parts'"),
        ({"version": 2, "parts": {}}, "Plan key 'parts' is {}: it must be a list"),
        ({"version": 2, "parts": ["quantization"]}, "a part of a plan"),
        ({"version": 2, "parts": [{"kind": "quantization"}] * 2}, "2 parts of kind 'quantization'"),
        ({"version": 2, "parts": [{"kind": "quantization", "recipes": {}}]}, "did you mean 'recipe'"),
    ],
)
def test_what_is_no_plan_is_told(values, message):
    with pytest.raises(PlanError, match=message):
        Plan.from_dict(values)


def test_a_file_of_a_further_kind_is_not_called_damaged(tmp_path, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(_plan, "PART_KINDS", {"widths": Widths.from_dict, **_plan.PART_KINDS})
        path = Plan.of(Widths()).save(tmp_path / "plan.json")
        assert Plan.load(path) == Plan.of(Widths())
    with pytest.raises(StoredFileError, match=r"plan\.json', a plan, was written by another version.*kind 'widths'"):
        Plan.load(path)
    path.write_text(path.read_text().replace('"version": 2', '"version": 1'))
    with pytest.raises(StoredFileError, match="written by an older autoq, as a plan of format version 1"):
        Plan.load(path)


KEPT = st.dictionaries(st.text(max_size=4), st.floats(0.01, 1))
PRUNINGS = st.builds(PruningPlan, KEPT, st.integers(1, 64), st.sampled_from(["fpgm", "magnitude"]), st.just("none"))


@given(PARTS, PRUNINGS)
def test_what_removes_channels_is_written_and_read(part, pruning):
    plan = Plan((part, pruning))
    again = Plan.from_dict(json.loads(plan.to_json()))
    assert again == plan == pickle.loads(pickle.dumps(plan))  # noqa: S301  # our own bytes
    assert (again.kinds, again.pruning) == (("pruning", "quantization"), pruning)
    assert plan.without("pruning") == Plan.of(part)
    assert plan.prunes == any(share < 1 for share in pruning.kept.values())
    assert set(pruning.settings) == {"channel_multiple_of", "channel_method", "channel_repair"}


def test_shares_are_told_and_groups_that_keep_all_are_not():
    part = PruningPlan({"b": 0.5, "a": 0.75, "c": 1, "d": 0.5})
    assert dict(part.kept) == {"a": 0.75, "b": 0.5, "d": 0.5}
    assert (part.share("b"), part.share("c"), part.share("e")) == (0.5, 1.0, 1.0)
    assert part.summary == "channels kept: 0.75 of 1, 0.5 of 2"
    assert PruningPlan({"c": 1}) == PruningPlan()
    assert (PruningPlan().summary, PruningPlan().facts) == (
        "",
        {"groups by the share of channels kept": "all keep all"},
    )
    assert PruningPlan({"a": 0.5}).computes_in != PruningPlan({"a": 0.75}).computes_in


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kept": {"a": -0.5}}, "group 'a' keeps -0.5 of its channels: it must be a share from 0 to 1"),
        ({"kept": {"a": "half"}}, "group 'a' keeps 'half' of its channels"),
        ({"kept": [1]}, "the kept shares of a pruning plan"),
        ({"multiple_of": 0}, "multiple_of is 0: it must be a whole number of at least 1"),
        ({"method": "norm"}, "'norm'"),
        ({"repair": "some"}, "'some'"),
        ({"widths": {}}, "'widths'"),
    ],
)
def test_a_part_that_prunes_is_checked(given, message):
    with pytest.raises(PlanError, match=message):
        PruningPlan.from_dict(given)
