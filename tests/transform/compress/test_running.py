"""What OpenVINO's CPU computes with: the execution graphs of compressed models beside the table that a search reads."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from graph_models import built, named
from openvino import opset13 as ops
from weighted_nets import NETS, held, numbers, product

import autoq
from autoq.core import CompressionPlan, CompressionRecipe, WeightFormat, WeightMode
from autoq.graph import Weight, find_weights
from autoq.transform import runs_compressed

# On one core, several products in float may be one sub-graph.
COMPUTING = frozenset({"FullyConnected", "MatMul", "Gather", "Convolution", "Deconvolution", "Subgraph"})
DEFAULTS = [
    WeightFormat(mode, -1, (-1.0, 0.0, 1.0)) if mode is WeightMode.CODEBOOK else WeightFormat.default(mode)
    for mode in WeightMode
]
FORMATS = [
    *(form if form.group_size != 128 else WeightFormat(form.mode, 32) for form in DEFAULTS),
    *map(WeightFormat.parse, ("int4_sym", "nf4", "nf4 g16", "int4_asym g4", "int4_sym g2", "cb4 g16")),
]


def rows(transposed: bool = True, *, before: int = 0) -> ov.Model:
    x = ops.parameter([2, 64] if not before else [before, 2, 64], np.float32, name="x")
    shape = (96, 64) if transposed else (64, 96)
    return built([product(x, numbers(*([before] if before else []), *shape), "fc", transposed=transposed)], [x])


def first_operand() -> ov.Model:
    x = ops.parameter([64, 5], np.float32, name="x")
    return built([named(ops.matmul(held(numbers(96, 64), "w"), x, False, False), "fc")], [x])


def one_output() -> ov.Model:
    x = ops.parameter([2, 64], np.float32, name="x")
    return built([product(x, numbers(1, 64), "fc")], [x])


def few_inputs() -> ov.Model:
    x = ops.parameter([2, 64], np.float32, name="x")
    y = product(product(x, numbers(3, 64), "narrow"), numbers(64, 3), "wide")
    return built([product(y, numbers(4, 64), "more")], [x])


def head_before_table() -> ov.Model:
    x, ids = ops.parameter([2, 64], np.float32, name="x"), ops.parameter([2], np.int64, name="z_ids")
    table = held(numbers(64, 64), "table")
    y = named(ops.matmul(x, table, False, True), "head")
    return built([y, named(ops.gather(table, ids, ops.constant(0)), "z_embedding")], [x, ids])


READERS = {
    "rows": rows,
    "columns": lambda: rows(transposed=False),
    "one_expert": lambda: rows(before=1),
    "first_operand": first_operand,
    "one_output": one_output,
    "few_inputs": few_inputs,
    "head_before_table": head_before_table,
}


def compressed(model: ov.Model, form: WeightFormat, folder: Path) -> tuple[list[Weight], ov.Model]:
    """The weights that take a format, and the saved model in which all of them do."""
    able = [
        weight
        for weight in find_weights(model).compressible
        if not form.is_grouped or (len(weight.axes) == 1 and weight.length % form.group_size == 0)
    ]
    if not able:
        return [], model
    plan = CompressionPlan(CompressionRecipe(format=form), {weight.name: form for weight in able})
    ov.save_model(autoq.compress_weights(model, plan=plan, progress=False), folder / "model.xml", False)
    return able, ov.Core().read_model(folder / "model.xml")


def precisions(model: ov.Model) -> dict[str, str]:
    """What each operation that reads a weight runs in, if one of its constants is in memory so, and else "float"."""
    executed = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).get_runtime_model()
    found = {}
    for op in executed.get_ops():
        info = {key: str(value.value) for key, value in op.get_rt_info().items()}
        sources = [value.get_node().get_rt_info() for value in op.input_values()]
        in_memory = {str(source["outputPrecisions"].value) for source in sources}
        ran = info["runtimePrecision"] if info["runtimePrecision"] in in_memory else "float"
        if info["layerType"] in COMPUTING:
            found |= dict.fromkeys(info["originalLayersNames"].split(","), ran)
    return found


def check(model: ov.Model, form: WeightFormat, folder: Path) -> set[bool]:
    """Compares the execution graph with the table, and gives what the table says of the weights."""
    weights, saved = compressed(model, form, folder)
    ran = precisions(saved) if weights else {}
    for weight in weights:
        as_stored = all(ran[name] == form.storage for name, _ in weight.readers)
        assert as_stored == runs_compressed(weight, form), (weight, form)
    return {runs_compressed(weight, form) for weight in weights}


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize(
    ("net", "form", "expected"), [("decoder_half", "int4_sym g32", {True}), ("decoder_tied", "nf4 g32", {True, False})]
)
def test_the_device_computes_with_stored_numbers_where_the_table_says_so(net, form, expected, tmp_path):
    assert check(NETS[net](), WeightFormat.parse(form), tmp_path) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("net", [*NETS, *READERS])
def test_so_it_does_in_every_format_and_for_every_reader(net, form, tmp_path):
    check((NETS | READERS)[net](), form, tmp_path)
