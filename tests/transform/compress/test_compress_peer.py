"""Compressed models are those of NNCF, operation by operation, but for the differences of a table."""

import logging
from typing import Any

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from same_graph import difference
from weighted_nets import NETS

import autoq
from autoq.core import ModelError, PlanError, WeightMode

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:OpenVINO's CPU decompresses", "ignore:no weight takes mode", "ignore:.*of convolutions"
    ),
]

CODEBOOK = np.sort(np.random.default_rng(3).normal(size=40)).astype(np.float32)

# What differs on purpose; the other tests of this file keep away from it. `autoq/transform/README.md` gives reasons.
DIFFERENT = {
    "decoder_state": "NNCF renames operations with equal names",
    "decoder_brain": "a table of bfloat16 is read through a Convert, so that it is compressed",
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"group_size": -1},
    {"group_size": 32, "all_layers": True},
    {"group_size": 64, "group_size_fallback": "ignore"},
    {"group_size": 32, "group_size_fallback": "adjust", "backup_mode": "int8_sym"},
    {"group_size": 32, "ratio": 0.6},
    {"group_size": 16, "ratio": 0.8, "all_layers": True, "backup_mode": "none"},
]


def theirs(model: ov.Model, mode: str, group_size_fallback: str = "error", **settings: Any) -> ov.Model:
    nncf = pytest.importorskip("nncf")
    from nncf.quantization.advanced_parameters import AdvancedCompressionParameters, GroupSizeFallbackMode

    logging.getLogger("nncf").setLevel(logging.CRITICAL)
    if "backup_mode" in settings:
        settings["backup_mode"] = nncf.BackupMode(settings["backup_mode"])
    advanced = AdvancedCompressionParameters(group_size_fallback_mode=GroupSizeFallbackMode(group_size_fallback))
    if mode == "codebook":
        advanced.codebook = CODEBOOK
    kind = nncf.CompressWeightsMode(mode)
    return nncf.compress_weights(model.clone(), mode=kind, advanced_parameters=advanced, **settings)


def ours(model: ov.Model, mode: str, **settings: Any) -> ov.Model:
    codebook = CODEBOOK if mode == "codebook" else None
    return autoq.compress_weights(model, mode=mode, codebook=codebook, progress=False, **settings)


def check_same(model: ov.Model, mode: str, settings: dict[str, Any]) -> bool:
    """Whether both compress a model, which they then do alike; NNCF also refuses what autoq refuses."""
    try:
        found = ours(model, mode, **settings)
    except PlanError:
        with pytest.raises(Exception, match=r".+"):
            theirs(model, mode, **settings)
        return False
    except ModelError as error:
        if "no weight" not in str(error):  # NNCF then gives the model back
            with pytest.raises(Exception, match=r".+"):
                theirs(model, mode, **settings)
        return False
    if mode in {"fp4", "fp8_e4m3"} and settings.get("group_size_fallback", "error") != "error":
        return True  # NNCF raises an error where the groups do not fit the backup mode
    assert difference(found, theirs(model, mode, **settings)) == []
    return True


@pytest.mark.parametrize("name", [name for name in MODELS if name not in DIFFERENT])
def test_small_models_are_those_of_the_peer(name):
    model = autoq.read_model(MODELS[name]())
    for mode, settings in (("int8_asym", {}), ("int4_sym", {"group_size": 4, "all_layers": True})):
        check_same(model, mode, settings)


@pytest.mark.parametrize("mode", [mode for mode in WeightMode if mode is not WeightMode.ADAPTIVE_CODEBOOK])
@pytest.mark.parametrize("name", [name for name in NETS if name not in DIFFERENT])
def test_every_mode_and_setting_is_that_of_the_peer(name, mode):
    model = autoq.read_model(NETS[name]())
    same = [check_same(model, str(mode), dict(settings)) for settings in SETTINGS]
    assert any(same) or mode in {"mxfp4", "mxfp8_e4m3", "nvfp4", "fp4", "fp8_e4m3"}


def test_ignored_operations_are_those_of_the_peer():
    nncf = pytest.importorskip("nncf")
    model = autoq.read_model(NETS["decoder_single"]())
    for scope in (
        nncf.IgnoredScope(names=["head"]),
        nncf.IgnoredScope(names=["block_0/up/w", "embedding"]),
        nncf.IgnoredScope(patterns=[".*/gate"]),
        nncf.IgnoredScope(types=["Gather"]),
        nncf.IgnoredScope(subgraphs=[nncf.Subgraph(inputs=["block_1/up"], outputs=["block_2/down"])]),
    ):
        settings = {"group_size": 32, "ignored_scope": scope}
        assert difference(ours(model, "int4_sym", **settings), theirs(model, "int4_sym", **settings)) == []
