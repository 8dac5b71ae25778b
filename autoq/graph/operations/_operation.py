"""The facts about one type of OpenVINO operation: a row of the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum, auto

from autoq.core import NumberKind


class Family(Enum):
    """Families of operations that are interchangeable in the patterns that a runtime fuses."""

    CONVOLUTION = auto()
    PRODUCT = auto()  # fused like a convolution
    ARITHMETIC = auto()
    ELEMENTWISE = auto()  # comparisons, logic and so on; arithmetic is elementwise too
    ACTIVATION = auto()
    EXTREME = auto()  # the largest or smallest along axes
    TOTAL = auto()  # a sum, mean, norm or product along axes


class Samples(Enum):
    """How an operation keeps samples along the first axis apart."""

    EACH = auto()  # element by element, over several inputs with broadcasting
    IMAGES = auto()  # image by image: the first output alone, since positions are counted through all images
    ORDER = auto()  # values keep their order in memory: the shapes tell the rest
    GIVEN_AXES = auto()  # along axes that the second input names
    SPLIT = auto()  # likewise, with several outputs
    OWN_AXIS = auto()  # along the axis that is an attribute
    TRANSPOSE = auto()
    LOOKUP = auto()
    PRODUCT = auto()


class Channels(Enum):
    """How an operation carries channels along the axes of its inputs, where samples do not tell."""

    WINDOWS = auto()  # each of its own, over windows along the axes after the second one
    RESIZED = auto()  # each of its own, along other axes, which the last input names
    PADDED = auto()  # with others before and behind
    JOINED = auto()  # of one input behind those of another, along the axis that is an attribute
    PARAMETERS = auto()  # each of its own, with parameters of one axis for those of the second axis
    CUT = auto()  # each of its own; those from a start to a stop go on, along axes that the last input names
    GROUPED = auto()  # groups of neighbours along the second axis, with parameters of one axis for those
    HEADS = auto()  # of attention: along the axes before the last two
    REPEATED = auto()  # each of its own, along axes that are not repeated; the second input tells the lengths


@dataclass(frozen=True, slots=True)
class Operation:
    """One type of operation. A type with no special property needs no row.

    Attributes:
        type: Name of the type in OpenVINO.
        quantized: Whether it runs on quantized inputs: each float input port then asks for a quantizer.
        quantized_ports: The ports that ask for a quantizer, by kind of numbers, if not all float ports do.
        moves: Whether it only moves values: a quantizer passes through it, from its outputs to its inputs.
        brings: Whether it moves values and adds others to them.
        symmetric: Whether the scheme of its inputs is symmetric under each preset.
        unifies: Whether a quantizer that passes up through a Concat gives all its inputs one range, if this reads the
            Concat.
        float_in_transformer: Whether it stays in float in a transformer: its error costs more than its speed gains.
        post_processing: Whether it is the head of a detector: operations between it and the last weighted operation
            stay in float.
        non_negative: Whether its output is never negative.
        quantizer: Whether it is a quantizer; one in a model belongs to the model itself.
        dequantizes: Whether it may turn stored integers into floats, after a Convert.
        family: Its family in fused patterns.
        weight_ports: Input ports that may hold its constant weight.
        channel_axes: Axes of the weight along which limits differ; None if they follow from attributes.
        wraps_weight: Whether it may stand between a Constant and the operation that reads it as a weight.
        sums_products: Whether it sums products of its input and its weight: the sum can overflow, and a bias can cancel
            its mean shift.
        dense: Whether it sums over all channels of its input.
        aligns: Whether channel alignment may scale its output channels.
        linear: Whether its output is linear in its weight.
        state_ports: Input ports of its first state.
        length_port: Input port that holds the lengths of its sequences.
        samples: How it keeps samples apart; None if it may mix them.
        channels: How it carries channels; None if that is as for samples, along any axis.
        largest: Whether it takes the largest of several values, which is finite if one of them is.
        carries: Whether it passes on its values, also infinities. Operations that move values and arithmetic do so too.
        rounds: Whether it rounds to whole numbers.
        probabilities: Whether its outputs are probabilities, or their logarithms.
        moves_constants: Whether it is folded if it reads constants of half precision, which stay in half precision.
        shape_ports: Input ports that give the shape of its output.
        shape_of_values: Whether the shape of its output depends on the values that it reads.
        has_bodies: Whether it runs models inside it.
        bounds: Least and greatest input beyond which its output does not change.
        compressed: Whether its constant weights may be stored in few bits while it computes in float.
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
    channels: Channels | None = None
    largest: bool = False
    carries: bool = False
    rounds: bool = False
    probabilities: bool = False
    bounds: tuple[float, float] | None = None
    moves_constants: bool = False
    shape_ports: tuple[int, ...] = ()
    shape_of_values: bool = False
    has_bodies: bool = False
    compressed: bool = False

    @property
    def is_elementwise(self) -> bool:
        """Whether it computes element by element from two inputs."""
        return self.family in {Family.ARITHMETIC, Family.ELEMENTWISE}

    def ports(self, kind: NumberKind) -> tuple[int, ...] | None:
        """Input ports that ask for quantizers to numbers of a kind; None is every float port."""
        return self.quantized_ports[kind] if self.quantized_ports else None
