"""Models on their way out: whole or not at all, and they say where they come from."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, run, snapshot
from records import record

from autoq.core import OutputError, Plan, Recipe, RuntimePlan, RuntimePrecision
from autoq.export import check_model_path, read_provenance, save_candidate, save_model
from autoq.transform import read_plan


def test_a_candidate_comes_back_with_its_plan_and_evaluation(tmp_path):
    model = conv_net()
    before = snapshot(model)
    made = record(3, drop=0.004, ratio=0.5)
    path = save_candidate(model, made, tmp_path / "deep" / "m.xml")
    again = ov.Core().read_model(path)
    np.testing.assert_array_equal(run(again, images(1)), run(model, images(1)))
    provenance = read_provenance(again)
    assert provenance["plan"] == made.plan.to_dict()
    assert provenance["evaluation"]["accuracy"]["drop"]["value"] == 0.004
    assert provenance["version"]
    assert snapshot(model) == before
    assert not model.has_rt_info(["autoq", "plan"])


def test_a_saved_candidate_is_compiled_as_it_was_measured(tmp_path):
    chosen = RuntimePlan(64, "f16", cpu_sparse_weights_decompression_rate=0.5)
    plan = Plan.quantized(Recipe(runtime_precision=RuntimePrecision.F32)).having(chosen)
    model = conv_net()
    again = ov.Core().read_model(save_candidate(model, replace(record(0), plan=plan), tmp_path / "m.xml"))
    assert read_plan(again) == plan
    compiled = ov.Core().compile_model(again, "CPU")
    assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 64
    assert compiled.get_property("KV_CACHE_PRECISION") == ov.Type.f16
    assert not model.has_rt_info(["runtime_options", "KV_CACHE_PRECISION"])
    # OpenVINO reads no such note: whoever compiles the model is told.
    assert not again.has_rt_info(["runtime_options", *chosen.told])
    assert ov.Core().compile_model(again, "CPU", chosen.told).get_property(*chosen.told) == 0.5


def test_what_others_noted_in_a_model_stays(tmp_path):
    model = conv_net()
    model.set_rt_info("RGB", ["model_info", "color"])
    again = ov.Core().read_model(save_candidate(model, record(0), tmp_path / "m.xml"))
    assert again.get_rt_info(["model_info", "color"]).value == "RGB"


def test_any_other_model_has_no_provenance():
    assert read_provenance(conv_net()) == {}


def test_a_path_that_is_no_xml(tmp_path):
    with pytest.raises(OutputError, match=r"model path '.*m\.onnx' must end in \.xml"):
        save_model(conv_net(), tmp_path / "m.onnx")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"folder '.*file' cannot be made: "):
        check_model_path(tmp_path / "file" / "m.xml")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_leaves_nothing_behind_and_the_old_model_as_it_was(tmp_path, monkeypatch):
    path = save_model(conv_net(), tmp_path / "m.xml")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def half(model, draft, **settings):
        draft.with_suffix(".bin").write_bytes(b"half")
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(ov, "save_model", half)
    with pytest.raises(OutputError, match=r"cannot be saved to '.*m\.xml'"):
        save_model(conv_net(seed=9), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    def full(model, draft, **settings):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(ov, "save_model", full)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2_048_000))
    with pytest.raises(OutputError, match=r"cannot be saved to '.*m\.xml': the disk has 2\.05 MB left"):
        save_model(conv_net(), tmp_path / "m.xml")
