"""The table of operations: types that OpenVINO has, the peer's families, and no second table anywhere."""

import ast
import re
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from graph_models import bias, built, conv, image, named

import autoq
from autoq.calibration import Needs, as_inputs, collect
from autoq.core import Plan, Recipe
from autoq.graph import Placements, analyze
from autoq.graph.flow._patterns import ACTIVATIONS, ARITHMETIC, ELEMENTWISE, LINEAR
from autoq.graph.operations import Family, Operation, Samples
from autoq.graph.operations import _operations as table
from autoq.transform import CandidateBuilder

ROWS = table.OPERATIONS.values()
# The only places where types stand side by side: a sub-graph is made of types, whatever holds of each.
SUBGRAPHS = [
    ("calibration/sources/_image_input.py", {"Convert", "Interpolate", "Reshape", "Transpose"}),
    ("graph/placement/_floats.py", {"Convert", "FakeQuantize"}),
    ("training/twin/_fused.py", {"Convolution", "GroupConvolution", "MatMul"}),
    ("training/twin/_learned.py", {"Convert", "FakeConvert", "FakeQuantize", "Gather", "Subtract"}),
]


def types(holds) -> set[str]:
    return {row.type for row in ROWS if holds(row)}


def names(metatypes: list[type]) -> set[str]:
    return {name for metatype in metatypes for name in metatype.op_names}


def test_every_row_is_of_an_operation_of_openvino() -> None:
    from openvino import opset1, opset9, opset11, opset13, opset14, opset15, opset16

    functions = {name for opset in (opset1, opset9, opset11, opset13, opset14, opset15, opset16) for name in dir(opset)}
    known = {name.replace("_", "").removesuffix("op") for name in functions} | {"loop"}
    assert not {row.type for row in ROWS if row.type.lower() not in known}


def test_an_operation_is_quantized_or_moved_through_but_not_both() -> None:
    quantized, moved = types(lambda row: row.quantized), types(lambda row: row.moves)
    assert not quantized & moved
    assert not types(lambda row: row.post_processing) & (quantized | moved)
    assert quantized >= ELEMENTWISE
    assert quantized | {"Squeeze"} >= types(lambda row: row.float_in_transformer)


def test_what_a_row_says_goes_together() -> None:
    for row in ROWS:
        assert bool(row.weight_ports) >= bool(row.state_ports or row.sums_products or row.linear), row.type
        assert set(row.state_ports) <= set(row.weight_ports), row.type
        assert row.sums_products >= (row.dense or row.aligns), row.type
        assert row.moves >= row.brings, row.type
        assert row.quantized >= bool(row.quantized_ports or row.unifies or row.symmetric), row.type
    assert len(ROWS) == len({row.type for row in table._ROWS}) == len(table._ROWS)


def _spelled(module: Path) -> list[set[str]]:
    """Two or more types of the table in one collection of a module."""
    text, known = module.read_text(), table.OPERATIONS.keys()
    if len(known & set(re.findall(r"\"(\w+)\"", text))) < 2:
        return []
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Set | ast.List | ast.Tuple | ast.Dict)]
    parts = [node.keys if isinstance(node, ast.Dict) else node.elts for node in nodes]
    words = [{one.value for one in part if isinstance(one, ast.Constant)} for part in parts]
    return [known & found for found in words if len(known & found) > 1]


def test_no_other_module_spells_a_set_of_operations() -> None:
    """But for the table and the patterns, which are made of types."""
    package = Path(autoq.__file__).parent
    spelled = {str(path.relative_to(package)): _spelled(path) for path in sorted(package.rglob("*.py"))}
    assert len(spelled.pop("graph/flow/_patterns.py")) > 10
    assert [(name, found) for name, sets in spelled.items() for found in sets] == SUBGRAPHS


def test_one_more_operation_is_one_more_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hyperbolic tangent that had an int8 kernel: placed, quantized, and named in its decision."""
    pixels = image()
    tanh = named(ov.opset13.tanh(bias(conv(pixels, "conv"), "bias")), "tanh")
    model = built([bias(conv(tanh, "conv2"), "bias2")], [pixels])
    assert "tanh" not in {op for group in analyze(model).groups for op in group.ops}
    row = Operation("Tanh", quantized=True, family=Family.ACTIVATION, samples=Samples.EACH)
    monkeypatch.setattr(table, "OPERATIONS", {**table.OPERATIONS, "Tanh": row})
    placements = Placements.of(model)
    assert "tanh" in {op for group in placements.reference.groups for op in group.ops}
    assert next(d for d in placements.reference.decisions if d.op == "tanh").quantized
    feeds = as_inputs(model, [np.random.default_rng(n).normal(size=(1, 4, 8, 8)).astype(np.float32) for n in range(2)])
    statistics = collect(model, placements, feeds, needs=Needs())
    candidate = CandidateBuilder(model, placements, statistics).build(Plan.quantized(Recipe(subset_size=2)))
    (node,) = (op for op in candidate.get_ops() if op.get_type_name() == "Tanh")
    assert node.input_value(0).get_node().get_type_name() == "FakeQuantize"


@pytest.mark.peers
@pytest.mark.parametrize("target", ["ANY", "CPU", "GPU", "NPU"])
def test_types_are_those_of_the_peer(target: str) -> None:
    from nncf import TargetDevice
    from nncf.common.quantization.quantizer_propagation.solver import QuantizerPropagationSolver
    from nncf.common.quantization.quantizer_propagation.structs import QuantizationTrait
    from nncf.openvino.hardware.config import OVHWConfig
    from nncf.openvino.quantization.default_quantization import DEFAULT_OV_QUANT_TRAIT_TO_OP_DICT

    solver = QuantizerPropagationSolver(
        hw_config=OVHWConfig(TargetDevice[target]), default_trait_to_metatype_map=DEFAULT_OV_QUANT_TRAIT_TO_OP_DICT
    )
    traits = solver.get_operator_quantization_traits_map()

    def of(*wanted: QuantizationTrait) -> set[str]:
        return names([metatype for metatype, trait in traits.items() if trait in wanted])

    assert of(QuantizationTrait.INPUTS_QUANTIZABLE) == types(lambda row: row.quantized)
    assert of(QuantizationTrait.QUANTIZATION_AGNOSTIC, QuantizationTrait.CONCAT) == types(lambda row: row.moves)


@pytest.mark.peers
def test_fused_families_are_those_of_the_peer() -> None:
    from nncf.openvino.graph.metatypes import groups

    assert names(groups.LINEAR_OPERATIONS) == set(LINEAR)
    assert names(groups.ATOMIC_ACTIVATIONS_OPERATIONS) == set(ACTIVATIONS)
    assert names(groups.ARITHMETIC_OPERATIONS) == set(ARITHMETIC)
    assert names(groups.ELEMENTWISE_OPERATIONS) == set(ELEMENTWISE)


@pytest.mark.peers
def test_weighted_types_are_those_of_the_peer() -> None:
    from nncf.openvino.graph.metatypes import groups
    from nncf.openvino.graph.metatypes.openvino_metatypes import OVGRUSequenceMetatype, OVLSTMSequenceMetatype

    # The peer has a table that is looked up beside these, and only compresses the product of groups.
    theirs = (names(groups.OPERATIONS_WITH_WEIGHTS) - {"GroupedMatMul"}) | {"Gather"}
    assert theirs == types(lambda row: bool(row.weight_ports))
    # The peer finds those of the others in their layout; placement's tests compare them.
    told = [OVLSTMSequenceMetatype, OVGRUSequenceMetatype]
    assert {row.type: list(row.channel_axes) for row in ROWS if row.type in names(told)} == {
        kind: metatype.const_channel_axis for metatype in told for kind in names([metatype])
    }


@pytest.mark.peers
def test_transformer_types_are_those_of_the_peer() -> None:
    from nncf import ModelType, TargetDevice
    from nncf.quantization.algorithms.min_max.openvino_backend import OVMinMaxAlgoBackend

    ignored = OVMinMaxAlgoBackend.get_ignored_metatypes(ModelType.TRANSFORMER, TargetDevice.ANY)
    assert names(ignored) == types(lambda row: row.float_in_transformer)
    assert names(OVMinMaxAlgoBackend().post_processing_metatypes) == types(lambda row: row.post_processing)
