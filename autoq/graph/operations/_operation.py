"""What is known of one type of OpenVINO operation: a row of the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum, auto

from autoq.core import NumberKind


class Family(Enum):
    """Operations that stand for one another in the patterns that a runtime fuses."""

    CONVOLUTION = auto()
    PRODUCT = auto()  # fused like a convolution
    ARITHMETIC = auto()
    ELEMENTWISE = auto()  # comparisons, logic and so on; arithmetic is elementwise too
    ACTIVATION = auto()


class Samples(Enum):
    """Where an operation keeps samples along the first axis apart."""

    EACH = auto()  # element by element, over several inputs with broadcasting
    IMAGES = auto()  # image by image: the first output alone, since positions are counted through all images
    ORDER = auto()  # values keep their order in memory: the shapes tell the rest
    GIVEN_AXES = auto()  # along axes that the second input names
    SPLIT = auto()  # likewise, with several outputs
    OWN_AXIS = auto()  # along the axis that is an attribute
    TRANSPOSE = auto()
    LOOKUP = auto()
    PRODUCT = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """One type of operation; a type of which nothing holds needs no row.

    Attributes:
        type: OpenVINO's name of it.
        quantized: It runs on quantized inputs: each float input port asks for a quantizer.
        quantized_ports: Where not every float port does, those that do, by kind of numbers.
        moves: It only moves values: a quantizer passes through it, from its outputs to its inputs.
        brings: It moves values, and puts others beside them.
        symmetric: The scheme of its inputs is symmetric whatever the preset.
        unifies: A quantizer that passes up through a Concat gives all its inputs one range where this reads it.
        float_in_transformer: It stays in float in a transformer: its error hurts more than its speed helps.
        post_processing: It is the head of a detector: what stands between it and the last weighted operation stays in
            float.
        non_negative: Its output is never negative.
        quantizer: It quantizes: what a model has of it is its own.
        dequantizes: It may turn stored integers into floats, behind a Convert.
        family: What it stands for in fused patterns.
        weight_ports: Input ports where it may have its constant.
        channel_axes: Axes of the weight that have a limit of their own each; None where they follow from attributes.
        wraps_weight: It may stand between a Constant and the operation that reads it as a weight.
        sums_products: It sums products of its input and its weight: the sum can overflow, and a bias takes its mean
            shift.
        dense: It sums over all channels of its input.
        aligns: Channel alignment may scale its output channels.
        linear: Its output is linear in its weight.
        state_ports: Input ports of its first state.
        length_port: Input port that holds the lengths of its sequences.
        samples: Where it keeps samples apart; None where it is taken to mix them.
        largest: It takes the largest of several values, which is finite where one of them is.
        carries: It gives what it reads, infinities too; what moves values and arithmetic do so besides.
        rounds: It rounds to whole numbers.
        probabilities: Its outputs are probabilities, or their logarithms.
        moves_constants: It is folded where it reads constants of half precision, which stay so.
        shape_ports: Input ports that give the shape of its output.
        shape_of_values: The shape of its output depends on the values that it reads.
        has_bodies: It runs models inside of it.
    """

    type: str
    _: KW_ONLY
    quantized: bool = False
    quantized_ports: Mapping[NumberKind, tuple[int, ...]] = field(default_factory=dict)
    moves: bool = False
    brings: bool = False
    symmetric: bool = False
    unifies: bool = False
    float_in_transformer: bool = False
    post_processing: bool = False
    non_negative: bool = False
    quantizer: bool = False
    dequantizes: bool = False
    family: Family | None = None
    weight_ports: tuple[int, ...] = ()
    channel_axes: tuple[int, ...] | None = None
    wraps_weight: bool = False
    sums_products: bool = False
    dense: bool = False
    aligns: bool = False
    linear: bool = False
    state_ports: tuple[int, ...] = ()
    length_port: int | None = None
    samples: Samples | None = None
    largest: bool = False
    carries: bool = False
    rounds: bool = False
    probabilities: bool = False
    moves_constants: bool = False
    shape_ports: tuple[int, ...] = ()
    shape_of_values: bool = False
    has_bodies: bool = False

    @property
    def is_elementwise(self) -> bool:
        """Whether it computes element by element, of two inputs."""
        return self.family in {Family.ARITHMETIC, Family.ELEMENTWISE}

    def ports(self, kind: NumberKind) -> tuple[int, ...] | None:
        """Input ports that ask for quantizers to numbers of a kind; None is every float one."""
        return self.quantized_ports[kind] if self.quantized_ports else None
