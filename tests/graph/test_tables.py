import pytest

from autoq.graph.operations._tables import (
    ACTIVATIONS,
    AGNOSTIC,
    ARITHMETIC,
    ELEMENTWISE,
    LINEAR,
    POST_PROCESSING,
    QUANTIZABLE,
    TRANSFORMER_FLOAT,
)


def names(metatypes: list[type]) -> set[str]:
    return {name for metatype in metatypes for name in metatype.op_names}


def test_an_operation_is_quantized_or_moved_through_but_not_both() -> None:
    assert not QUANTIZABLE & AGNOSTIC
    assert not POST_PROCESSING & (QUANTIZABLE | AGNOSTIC)
    assert ELEMENTWISE <= QUANTIZABLE
    assert QUANTIZABLE | {"Squeeze"} >= TRANSFORMER_FLOAT


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

    assert of(QuantizationTrait.INPUTS_QUANTIZABLE) == set(QUANTIZABLE)
    assert of(QuantizationTrait.QUANTIZATION_AGNOSTIC, QuantizationTrait.CONCAT) == set(AGNOSTIC)


@pytest.mark.peers
def test_fused_families_are_those_of_the_peer() -> None:
    from nncf.openvino.graph.metatypes import groups

    assert names(groups.LINEAR_OPERATIONS) == set(LINEAR)
    assert names(groups.ATOMIC_ACTIVATIONS_OPERATIONS) == set(ACTIVATIONS)
    assert names(groups.ARITHMETIC_OPERATIONS) == set(ARITHMETIC)
    assert names(groups.ELEMENTWISE_OPERATIONS) == set(ELEMENTWISE)


@pytest.mark.peers
def test_transformer_types_are_those_of_the_peer() -> None:
    from nncf import ModelType, TargetDevice
    from nncf.quantization.algorithms.min_max.openvino_backend import OVMinMaxAlgoBackend

    ignored = OVMinMaxAlgoBackend.get_ignored_metatypes(ModelType.TRANSFORMER, TargetDevice.ANY)
    assert names(ignored) == set(TRANSFORMER_FLOAT)
    assert names(OVMinMaxAlgoBackend().post_processing_metatypes) == set(POST_PROCESSING)
