"""Plans that remove channels, and quantize what is left."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import openvino as ov
import pytest
from channel_nets import three_convs, two_residual_blocks
from networks import rows
from same_graph import difference

import autoq
from autoq.calibration import ModelInputs, SampleRun, as_inputs, collect, collected_grams
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    DataError,
    Plan,
    PlanError,
    Precision,
    PruningPlan,
    Recipe,
    RuntimePlan,
    StoredFileError,
    WeightFormat,
)
from autoq.graph import Placements, unique_names
from autoq.transform import CandidateBuilder, InTurn, Prunable, Pruner, PruningBuilder
from autoq.transform.candidates import ResolvedPruning

RNG = np.random.default_rng(3)
DATA = RNG.normal(0, 1, (12, 3, 6, 6)).astype(np.float32)
RECIPE = Recipe(subset_size=12)


class Made:
    """Builders for one model and data."""

    def __init__(self, stack: ExitStack, model: ov.Model) -> None:
        self.model = autoq.read_model(model)
        self.inputs = as_inputs(self.model, DATA)
        self.requantized: list[str] = []
        self.prunable = prunable = Prunable.of(self.model)
        every = prunable.activations.values()
        self.grams = grams = stack.enter_context(collected_grams(prunable.model, every, self.inputs, products=every))
        self.whole = self.quantizing(self.model)
        self.both = PruningBuilder(self.whole, Pruner(prunable, grams), self.requantizer)

    def quantizing(self, model: ov.Model) -> CandidateBuilder:
        placements = Placements.of(model).named_as(Placements.of(self.model))
        return CandidateBuilder(model, placements, collect(model, placements, self.inputs), self.inputs)

    def requantizer(self, model: ov.Model, fingerprint: str) -> CandidateBuilder:
        self.requantized.append(fingerprint)
        return self.quantizing(model)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with ExitStack() as stack:
        yield Made(stack, three_convs())


def pruning(**kept: float) -> PruningPlan:
    return PruningPlan(kept, multiple_of=4)


def int8(**precisions: Precision) -> Plan:
    return Plan.quantized(RECIPE, precisions)


FLOATS = {group.name: Precision.FLOAT for group in Placements.of(autoq.read_model(three_convs())).reference.groups}


def widths(model: ov.Model) -> list[int]:
    """Channels that the convolutions make, as OpenVINO tells."""
    nodes = unique_names(model)
    return [nodes[name].get_output_shape(0)[1] for name in ("first", "second", "third")]


def test_a_pruned_plan_is_what_prune_and_then_quantize_give(made):
    pruned = autoq.prune(made.model, DATA, ratio=0.5, multiple_of=4, repair="one_shot", widths="equal", progress=False)
    plan = int8(**FLOATS).having(pruning(first=0.5, second=0.5, third=0.5))
    assert difference(made.both.build(plan), pruned) == []
    assert widths(pruned) == [4, 8, 4]
    quantized = autoq.quantize(pruned, DATA, plan=int8(), progress=False)
    found = made.both.build(plan.having(int8().quantization))
    assert difference(found, quantized) == []
    # What OpenVINO runs is near the pruned model, and not near the model with all channels.
    expected, whole = rows(pruned, DATA), rows(made.model, DATA)
    error = np.square(rows(found, DATA) - expected).mean()
    assert 0 < error < 0.05 * np.square(expected - whole).mean()


def test_groups_keep_shares_of_their_own(made):
    expected = rows(made.model, DATA)
    plan = int8(third=Precision.FLOAT).having(pruning(first=0.5, second=0.75))
    model = made.both.build(plan)
    assert widths(model) == [4, 12, 8]
    error = np.square(rows(model, DATA) - expected).mean()
    bare = Plan((plan.quantization, PruningPlan(plan.pruning.kept, multiple_of=4, repair="none")))
    assert error < 0.5 * np.square(rows(made.both.build(bare), DATA) - expected).mean()
    assert difference(made.model, autoq.read_model(three_convs())) == []


def test_a_plan_that_cuts_nothing_is_the_plan_without_the_part(made):
    kept = PruningPlan({"first": 1, "second": 0.99}, multiple_of=16)
    for plan in (int8(), int8(**FLOATS)):
        assert made.both.fingerprint(plan.having(kept)) == made.both.fingerprint(plan) == made.whole.fingerprint(plan)
        assert difference(made.both.build(plan.having(kept)), made.whole.build(plan)) == []
    assert made.both.fingerprint(int8(**FLOATS).having(kept)) == "float"
    alone = PruningBuilder(None, made.both._pruner, None)
    assert alone.fingerprint(Plan.of(kept)) == "float"
    assert difference(alone.build(Plan.of(kept)), made.model) == []
    assert alone.fingerprint(Plan((kept, RuntimePlan(0)))) != "float"


def test_a_fingerprint_tells_models_apart_and_runs_nothing(made):
    before = len(made.requantized)
    parts = [pruning(first=0.5), pruning(first=0.5, second=0.5), pruning(second=0.5), pruning()]
    parts += [PruningPlan({"first": 0.5}, 4, repair="none"), PruningPlan({"first": 0.5}, 4, method="magnitude")]
    plans = [plan.having(part) for part in parts for plan in (int8(), int8(**FLOATS), int8(first=Precision.FLOAT))]
    assert len({made.both.fingerprint(plan) for plan in plans}) == len(plans)
    # Shares of the same width are the same.
    assert made.both.fingerprint(int8().having(pruning(second=0.5))) == made.both.fingerprint(
        int8().having(pruning(second=0.52))
    )
    assert made.both.resolve(plans[0]).quantized_sites == made.whole.resolve(int8()).quantized_sites
    assert len(made.requantized) == before


def test_a_pruned_model_is_run_once_for_all_of_its_quantizers(made):
    before, part = len(made.requantized), pruning(first=0.5, third=0.5)
    made.both.build(int8(**FLOATS).having(part))
    assert len(made.requantized) == before
    for plan in (int8(), int8(first=Precision.FLOAT), int8()):
        made.both.build(plan.having(part))
    assert len(made.requantized) == before + 1


def test_a_repair_in_turn_is_that_of_prune_and_takes_its_runs_once(made, tmp_path):
    part = PruningPlan({"first": 0.5, "second": 0.5, "third": 0.5}, 4, repair="sequential")
    expected = autoq.prune(made.model, DATA, ratio=0.5, multiple_of=4, widths="equal", progress=False)

    def builder(inputs: ModelInputs | None) -> PruningBuilder:
        in_turn = InTurn(SampleRun(inputs, tmp_path, 12))
        return PruningBuilder(None, Pruner(made.prunable, made.grams, in_turn), None)

    first, plan = builder(made.inputs), Plan.of(part)
    with pytest.raises(DataError, match="repaired by runs of it, and no data are given"):
        builder(None).build(plan)
    assert difference(first.build(plan), expected) == []
    assert difference(builder(None).build(plan), expected) == []
    at_once = Plan.of(PruningPlan(part.kept, 4))
    assert first.fingerprint(plan) != first.fingerprint(at_once)
    assert difference(builder(None).build(Plan.of(PruningPlan(repair="sequential"))), made.model) == []
    next(tmp_path.glob("repaired-*/model.xml")).write_text("nothing")
    with pytest.raises(StoredFileError, match="does not read as a pruned model, and no data are given"):
        builder(None).build(plan)
    with pytest.warns(UserWarning, match="a model is pruned again: .* does not read as a pruned model"):
        assert difference(builder(made.inputs).build(plan), expected) == []
    assert difference(builder(None).build(plan), expected) == []


def test_quantizers_that_are_equal_in_the_whole_model_alone_are_told_apart(made):
    # What is cut has activations of its own: estimators that agree on those of the whole model may differ there.
    class Same:
        """A builder to which all plans of the whole model are one."""

        def resolve(self, plan: Plan) -> ResolvedPruning:
            return ResolvedPruning("one", 3)

    both = PruningBuilder(Same(), made.both._pruner, made.requantizer)
    one, other = int8(), Plan.quantized(Recipe(subset_size=12, range_estimator="mse"))
    assert both.fingerprint(one) == both.fingerprint(other)
    part = pruning(first=0.5)
    assert both.fingerprint(one.having(part)) != both.fingerprint(other.having(part))


def test_a_block_that_goes_takes_its_quantizers_along():
    with ExitStack() as stack:
        made = Made(stack, two_residual_blocks())
        part = pruning(inner=0)
        plan = int8().having(part)
        pruned = made.both.build(Plan.of(part))
        assert not {"inner", "outer"} & unique_names(pruned).keys()
        assert {"further", "furthest"} <= unique_names(pruned).keys()
        expected = autoq.quantize(pruned, DATA, plan=int8(), progress=False)
        assert difference(made.both.build(plan), expected) == []
        error = np.square(rows(expected, DATA) - rows(pruned, DATA)).mean()
        assert 0 < error < 0.05 * np.square(rows(made.model, DATA) - rows(pruned, DATA)).mean()
        # Nothing is left of what the quantizers of the block are told.
        gone = int8(inner=Precision.FLOAT, outer=Precision.FLOAT).having(part)
        assert made.both.fingerprint(gone) == made.both.fingerprint(plan)
        assert difference(made.both.build(gone), expected) == []
        assert made.both.fingerprint(int8(further=Precision.FLOAT).having(part)) != made.both.fingerprint(plan)
        some = made.both.build(int8(further=Precision.FLOAT).having(part))
        quantized = [
            unique_names(model)["further"].input_value(1).get_node().get_type_name() for model in (some, expected)
        ]
        assert quantized[0] == "Constant" != quantized[1]
        floats = {group.name: Precision.FLOAT for group in made.whole.groups}
        assert difference(made.both.build(int8(**floats).having(part)), pruned) == []
        with pytest.raises(PlanError, match=r"no channel of the group 'stem': .* 'further', 'inner' can go as a whole"):
            made.both.fingerprint(int8().having(pruning(stem=0)))


def test_what_does_not_exist_and_what_nothing_builds_is_refused(made):
    with pytest.raises(PlanError, match="group of channels 'head', which cannot go"):
        made.both.fingerprint(int8().having(pruning(head=0.5)))
    with pytest.raises(PlanError, match="repair is 'sequential', which runs the model once for each layer"):
        made.both.build(int8().having(PruningPlan({"first": 0.5}, 4, repair="sequential")))
    plan = int8().having(pruning(first=0.5))
    with pytest.raises(PlanError, match="nothing here builds 'quantization'"):
        PruningBuilder(None, made.both._pruner, None).build(plan)
    with pytest.raises(PlanError, match="nothing here builds 'compression'"):
        made.both.build(plan.having(CompressionPlan(CompressionRecipe(format=WeightFormat.parse("int8_sym")))))
    with pytest.raises(PlanError, match="part of kind 'pruning', which nothing builds: only 'quantization' is"):
        made.whole.build(plan)
