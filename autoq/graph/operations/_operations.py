"""The table of operations: all facts about OpenVINO's operation types stand here, once.

One more row quantizes one more type of operation. Operations are quantized, fused, passed through and left in float as
in NNCF's OpenVINO backend for CPU, GPU and NPU in 8 bits, which share one hardware table.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from autoq.core import NumberKind
from autoq.graph.operations._operation import Channels, Family, Operation, Samples

_ROWS = (
    # Weighted operations, and operations that are fused or quantized like them.
    Operation(
        "Convolution",
        quantized=True,
        unifies=True,
        family=Family.CONVOLUTION,
        weight_ports=(1,),
        channel_axes=(0,),
        sums_products=True,
        dense=True,
        aligns=True,
        linear=True,
        samples=Samples.IMAGES,
        compressed=True,
    ),
    Operation(
        "GroupConvolution",
        quantized=True,
        unifies=True,
        family=Family.CONVOLUTION,
        weight_ports=(1,),
        channel_axes=(0, 1),
        sums_products=True,
        aligns=True,
        linear=True,
        samples=Samples.IMAGES,
        compressed=True,
    ),
    Operation(
        "ConvolutionBackpropData",
        quantized=True,
        unifies=True,
        family=Family.CONVOLUTION,
        weight_ports=(1,),
        channel_axes=(1,),
        sums_products=True,
        dense=True,
        linear=True,
        samples=Samples.IMAGES,
        compressed=True,
    ),
    Operation(
        "GroupConvolutionBackpropData",
        quantized=True,
        unifies=True,
        family=Family.CONVOLUTION,
        weight_ports=(1,),
        channel_axes=(0, 2),
        sums_products=True,
        linear=True,
        samples=Samples.IMAGES,
        compressed=True,
    ),
    Operation("DeformableConvolution", family=Family.PRODUCT),
    Operation(
        "MatMul",
        quantized=True,
        unifies=True,
        family=Family.PRODUCT,
        weight_ports=(0, 1),
        sums_products=True,
        dense=True,
        linear=True,
        samples=Samples.PRODUCT,
        compressed=True,
    ),
    Operation(
        "ScaledDotProductAttention",
        quantized=True,
        quantized_ports={NumberKind.INT: (0, 1), NumberKind.FP8: (0, 1, 2)},
        symmetric=True,
        unifies=True,
        channels=Channels.HEADS,
    ),
    Operation(
        "Gather",
        moves=True,
        weight_ports=(0,),
        channel_axes=(0,),
        linear=True,
        samples=Samples.LOOKUP,
        compressed=True,
        moves_constants=True,
    ),
    Operation(
        "LSTMSequence", quantized=True, weight_ports=(1, 2, 4, 5), channel_axes=(1,), state_ports=(1, 2), length_port=3
    ),
    Operation(
        "GRUSequence", quantized=True, weight_ports=(1, 3, 4), channel_axes=(1,), state_ports=(1,), length_port=2
    ),
    Operation("RNNSequence", length_port=2),
    # Element by element, from two inputs.
    Operation("Add", quantized=True, float_in_transformer=True, family=Family.ARITHMETIC, samples=Samples.EACH),
    Operation(
        "Subtract",
        quantized=True,
        float_in_transformer=True,
        dequantizes=True,
        family=Family.ARITHMETIC,
        samples=Samples.EACH,
    ),
    Operation(
        "Multiply",
        quantized=True,
        float_in_transformer=True,
        dequantizes=True,
        family=Family.ARITHMETIC,
        samples=Samples.EACH,
    ),
    Operation("Divide", quantized=True, float_in_transformer=True, family=Family.ARITHMETIC, samples=Samples.EACH),
    Operation("Equal", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("FloorMod", quantized=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("Greater", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation(
        "GreaterEqual", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH
    ),
    Operation("Less", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("LessEqual", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("LogicalAnd", quantized=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("LogicalOr", quantized=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("LogicalXor", quantized=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("Maximum", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("Minimum", quantized=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    Operation("NotEqual", quantized=True, float_in_transformer=True, family=Family.ELEMENTWISE, samples=Samples.EACH),
    # Activations.
    Operation("Clamp", family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("Elu", family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("HSigmoid", non_negative=True, bounds=(-3.0, 3.0), family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("HSwish", bounds=(-3.0, inf), family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("HardSigmoid", non_negative=True, family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("PRelu", channels=Channels.PARAMETERS, family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("Relu", non_negative=True, bounds=(0.0, inf), family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("Selu", family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("Sigmoid", non_negative=True, family=Family.ACTIVATION, samples=Samples.EACH),
    Operation("Swish", family=Family.ACTIVATION, samples=Samples.EACH),
    # Other operations that run on quantized inputs.
    Operation("AdaptiveAvgPool", quantized=True, channels=Channels.WINDOWS, samples=Samples.IMAGES),
    Operation("AvgPool", quantized=True, float_in_transformer=True, channels=Channels.WINDOWS, samples=Samples.IMAGES),
    Operation(
        "BatchNormInference",
        quantized=True,
        float_in_transformer=True,
        channels=Channels.PARAMETERS,
        samples=Samples.IMAGES,
    ),
    Operation(
        "GroupNormalization",
        quantized=True,
        float_in_transformer=True,
        channels=Channels.GROUPED,
        samples=Samples.IMAGES,
    ),
    Operation("Interpolate", quantized=True, channels=Channels.RESIZED, shape_ports=(1, 2)),
    Operation("LogicalNot", quantized=True, samples=Samples.EACH),
    Operation("MVN", quantized=True, float_in_transformer=True, samples=Samples.GIVEN_AXES),
    Operation("NormalizeL2", quantized=True, samples=Samples.GIVEN_AXES),
    Operation("Power", quantized=True, float_in_transformer=True, samples=Samples.EACH),
    Operation(
        "ReduceL2",
        family=Family.TOTAL,
        quantized=True,
        float_in_transformer=True,
        non_negative=True,
        samples=Samples.GIVEN_AXES,
    ),
    Operation("ReduceMean", family=Family.TOTAL, quantized=True, float_in_transformer=True, samples=Samples.GIVEN_AXES),
    Operation("ReduceSum", family=Family.TOTAL, quantized=True, float_in_transformer=True, samples=Samples.GIVEN_AXES),
    Operation("Sqrt", quantized=True, float_in_transformer=True, non_negative=True, samples=Samples.EACH),
    Operation("SquaredDifference", quantized=True, float_in_transformer=True, samples=Samples.EACH),
    # Operations that only move values.
    Operation("AdaptiveMaxPool", moves=True, channels=Channels.WINDOWS, largest=True),
    Operation("BatchToSpace", moves=True, shape_ports=(1, 2, 3)),
    Operation("Broadcast", moves=True, channels=Channels.REPEATED, shape_ports=(1,)),
    Operation(
        "Concat", moves=True, brings=True, channels=Channels.JOINED, samples=Samples.OWN_AXIS, moves_constants=True
    ),
    Operation("ConvertLike", moves=True, samples=Samples.EACH),
    Operation("DepthToSpace", moves=True, samples=Samples.IMAGES),
    Operation("GatherElements", moves=True),
    Operation("GatherND", moves=True),
    Operation("MaxPool", moves=True, channels=Channels.WINDOWS, samples=Samples.IMAGES, largest=True),
    Operation("Pad", moves=True, brings=True, channels=Channels.PADDED, shape_ports=(1, 2)),
    Operation("ReduceMax", family=Family.EXTREME, moves=True, samples=Samples.GIVEN_AXES, largest=True),
    Operation("Reshape", moves=True, wraps_weight=True, samples=Samples.ORDER, moves_constants=True, shape_ports=(1,)),
    Operation("ScatterElementsUpdate", moves=True),
    Operation("ScatterNDUpdate", moves=True),
    Operation("ScatterUpdate", moves=True),
    Operation("ShuffleChannels", moves=True),
    Operation("SpaceToBatch", moves=True, shape_ports=(1, 2, 3)),
    Operation("SpaceToDepth", moves=True, samples=Samples.IMAGES),
    Operation("Split", moves=True, samples=Samples.SPLIT, moves_constants=True),
    Operation("Squeeze", moves=True, float_in_transformer=True, samples=Samples.ORDER, moves_constants=True),
    Operation("StridedSlice", moves=True, channels=Channels.CUT, moves_constants=True, shape_ports=(1, 2, 3)),
    Operation("Tile", moves=True, shape_ports=(1,)),
    Operation("Transpose", moves=True, samples=Samples.TRANSPOSE, moves_constants=True),
    Operation("Unsqueeze", moves=True, samples=Samples.ORDER, moves_constants=True),
    Operation("VariadicSplit", moves=True, samples=Samples.SPLIT, moves_constants=True, shape_ports=(2,)),
    # Quantizers, and operations that change the type of numbers.
    Operation("Convert", wraps_weight=True, samples=Samples.EACH, carries=True),
    Operation("FakeConvert", quantizer=True, carries=True),
    Operation("FakeQuantize", quantizer=True, samples=Samples.EACH, carries=True),
    # Element by element, in float.
    Operation("Abs", non_negative=True, samples=Samples.EACH),
    Operation("Ceiling", samples=Samples.EACH, rounds=True),
    Operation("Erf", samples=Samples.EACH),
    Operation("Exp", non_negative=True, samples=Samples.EACH),
    Operation("Floor", samples=Samples.EACH, rounds=True),
    Operation("Gelu", samples=Samples.EACH),
    Operation("Identity", samples=Samples.EACH),
    Operation("Log", samples=Samples.EACH),
    Operation("Mish", samples=Samples.EACH),
    Operation("Mod", samples=Samples.EACH),
    Operation("Negative", samples=Samples.EACH),
    Operation("Round", samples=Samples.EACH, rounds=True),
    Operation("Select", samples=Samples.EACH, carries=True),
    Operation("Sign", samples=Samples.EACH),
    Operation("SoftPlus", samples=Samples.EACH),
    Operation("SoftSign", samples=Samples.EACH),
    Operation("Tanh", samples=Samples.EACH),
    # Along an axis, in float.
    Operation("LogSoftmax", samples=Samples.OWN_AXIS, probabilities=True),
    Operation("ReduceL1", family=Family.TOTAL, samples=Samples.GIVEN_AXES),
    Operation("ReduceMin", family=Family.EXTREME, samples=Samples.GIVEN_AXES),
    Operation("ReduceProd", family=Family.TOTAL, samples=Samples.GIVEN_AXES),
    Operation("Softmax", non_negative=True, samples=Samples.OWN_AXIS, probabilities=True),
    # Other operations on which a shape, or a choice of outputs, depends.
    Operation("Eye", shape_ports=(0, 1)),
    Operation("GenerateProposals", shape_of_values=True),
    Operation("If", shape_ports=(0,), has_bodies=True),
    Operation("Loop", shape_ports=(0, 1), has_bodies=True),
    Operation("MatrixNms", shape_of_values=True),
    Operation("MulticlassNms", shape_of_values=True),
    Operation("NMSRotated", shape_of_values=True),
    Operation("NonMaxSuppression", post_processing=True, shape_of_values=True),
    Operation("NonZero", shape_of_values=True),
    Operation("OneHot", shape_ports=(1,)),
    Operation("Range", shape_ports=(0, 1, 2)),
    Operation("Slice", channels=Channels.CUT, moves_constants=True, shape_ports=(1, 2, 3)),
    Operation("TensorIterator", has_bodies=True),
    Operation("TopK", post_processing=True, shape_ports=(1,)),
    Operation("Unique", shape_of_values=True),
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType({row.type: row for row in _ROWS})


def operation(kind: str) -> Operation:
    """The row of a type of operation; an empty row for a type without one."""
    return OPERATIONS.get(kind) or Operation(kind)


def of_family(*families: Family) -> frozenset[str]:
    """Types of operations that belong to one of these families."""
    return frozenset(kind for kind, row in OPERATIONS.items() if row.family in families)
