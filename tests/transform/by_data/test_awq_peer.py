"""AWQ without data, beside NNCF."""

import numpy as np
import openvino as ov
import pytest
from weighted_nets import NETS

import autoq

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("net", ["decoder_single", "experts"])
@pytest.mark.parametrize("mode", ["int4_sym", "int4_asym", "nf4"])
@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
def test_the_same_numbers_without_data(mode: str, net: str) -> None:
    nncf = pytest.importorskip("nncf")
    found = autoq.compress_weights(NETS[net](), mode=mode, group_size=32, awq=True, progress=False)
    theirs = nncf.compress_weights(NETS[net](), mode=nncf.CompressWeightsMode(mode), group_size=32, awq=True)
    ours = _scales(found)
    assert ours.keys() == _scales(theirs).keys()
    for name, scale in _scales(theirs).items():
        np.testing.assert_allclose(ours[name], scale, rtol=2e-3, err_msg=name)


def _scales(model: ov.Model) -> dict[str, np.ndarray]:
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    return {op.get_friendly_name(): np.array(op.data) for op in constants if op.get_friendly_name().endswith("/scale")}
