"""What placement knows of OpenVINO operation types, as data.

The sets are those of NNCF's OpenVINO backend for CPU, GPU and NPU in 8 bits, which share one hardware table.
"""

from __future__ import annotations

from collections.abc import Mapping

CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"})
LINEAR = CONVOLUTIONS | {"DeformableConvolution", "MatMul"}
ARITHMETIC = frozenset({"Add", "Subtract", "Multiply", "Divide"})
COMPARISONS = frozenset({"Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual"})
LOGICAL = frozenset({"LogicalAnd", "LogicalOr", "LogicalXor"})
ELEMENTWISE = ARITHMETIC | COMPARISONS | LOGICAL | {"FloorMod", "Maximum", "Minimum"}
ACTIVATIONS = frozenset(
    {"Relu", "Clamp", "Elu", "PRelu", "Sigmoid", "HSigmoid", "HardSigmoid", "Swish", "HSwish", "Selu"}
)

# Operations that run on quantized inputs: each float input port asks for a quantizer.
QUANTIZABLE = (
    CONVOLUTIONS
    | ELEMENTWISE
    | {
        "MatMul",
        "LogicalNot",
        "Power",
        "Sqrt",
        "SquaredDifference",
        "BatchNormInference",
        "AvgPool",
        "AdaptiveAvgPool",
        "NormalizeL2",
        "ReduceL2",
        "ReduceMean",
        "ReduceSum",
        "Interpolate",
        "MVN",
        "GroupNormalization",
        "LSTMSequence",
        "GRUSequence",
        "ScaledDotProductAttention",
    }
)

# Operations that only move values: a quantizer passes through them, from their outputs to their inputs.
AGNOSTIC = frozenset(
    {
        "MaxPool",
        "AdaptiveMaxPool",
        "ReduceMax",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Split",
        "VariadicSplit",
        "Transpose",
        "Tile",
        "StridedSlice",
        "ShuffleChannels",
        "Broadcast",
        "Pad",
        "ConvertLike",
        "Gather",
        "GatherND",
        "GatherElements",
        "ScatterUpdate",
        "ScatterNDUpdate",
        "ScatterElementsUpdate",
        "DepthToSpace",
        "SpaceToDepth",
        "BatchToSpace",
        "SpaceToBatch",
        "Concat",
    }
)

# A quantizer that passes up through a Concat gives all its inputs one range where one of these reads it.
READERS_THAT_UNIFY = CONVOLUTIONS | {"MatMul", "ScaledDotProductAttention"}

# The scheme of their inputs is symmetric whatever the preset.
SYMMETRIC = frozenset({"ScaledDotProductAttention"})

# Only these input ports of an operation are quantized, to integers and to 8-bit floating point; every float port of the
# others.
QUANTIZED_PORTS: Mapping[str, tuple[int, ...]] = {"ScaledDotProductAttention": (0, 1)}
FP8_PORTS: Mapping[str, tuple[int, ...]] = {"ScaledDotProductAttention": (0, 1, 2)}

# Where a weighted operation may have its constant.
WEIGHT_PORTS = {
    "Convolution": (1,),
    "GroupConvolution": (1,),
    "ConvolutionBackpropData": (1,),
    "GroupConvolutionBackpropData": (1,),
    "MatMul": (0, 1),
    "LSTMSequence": (1, 2, 4, 5),
    "GRUSequence": (1, 3, 4),
    "Gather": (0,),
}

# Axes of the weight that have a limit of their own each; those of MatMul follow from its transposition.
WEIGHT_CHANNEL_AXES = {
    "Convolution": (0,),
    "GroupConvolution": (0, 1),
    "ConvolutionBackpropData": (1,),
    "GroupConvolutionBackpropData": (0, 2),
    "LSTMSequence": (1,),
    "GRUSequence": (1,),
    "Gather": (0,),
}

# Where a recurrent operation that can be quantized has its first state.
STATE_PORTS: Mapping[str, tuple[int, ...]] = {"LSTMSequence": (1, 2), "GRUSequence": (1,)}

# Left in float in a transformer: their error hurts more than their speed helps.
TRANSFORMER_FLOAT = frozenset(
    {
        "Add",
        "Power",
        "Squeeze",
        "Subtract",
        "AvgPool",
        "ReduceMean",
        "ReduceL2",
        "ReduceSum",
        "SquaredDifference",
        "MVN",
        "GroupNormalization",
        "BatchNormInference",
        "Divide",
        "Sqrt",
        "Maximum",
        "GreaterEqual",
        "Greater",
        "LessEqual",
        "Less",
        "NotEqual",
        "Equal",
        "Multiply",
    }
)

# The head of a detector: what stands between one of these and the last weighted operation stays in float.
POST_PROCESSING = frozenset({"TopK", "NonMaxSuppression"})

# Outputs that are never negative.
NON_NEGATIVE = frozenset({"Relu", "Sigmoid", "HSigmoid", "HardSigmoid", "Softmax", "Abs", "Exp", "ReduceL2", "Sqrt"})

FLOAT_TYPES = frozenset({"f16", "bf16", "f32", "f64"})
HALF_TYPES = frozenset({"f16", "bf16"})
# What quantized weights are stored in.
NARROW_TYPES = frozenset(
    {"u1", "u2", "u3", "u4", "u6", "u8", "i4", "i8", "nf4", "f4e2m1", "f8e4m3", "f8e5m2", "f8e8m0"}
)

# Operations that quantize: what a model has of them is its own.
FAKES = frozenset({"FakeQuantize", "FakeConvert"})

# What may stand between a Constant and the operation that reads it as a weight.
WEIGHT_WRAPPERS = frozenset({"Convert", "Reshape"})
