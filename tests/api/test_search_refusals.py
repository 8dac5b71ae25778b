"""A search on a device that refuses some of what is proposed."""

import warnings

import openvino as ov
import pytest
from networks import conv_net
from test_search import search

from autoq.core import DeviceError
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import _runtime
from autoq.searching.records import TrialState


class Refusing:
    """OpenVINO's core, on a device that does not compile models in which a layer is quantized."""

    def __init__(self, layer: str):
        self._real, self._layer = ov.Core(), layer

    def __getattr__(self, name: str):
        return getattr(self._real, name)

    def compile_model(self, model, *settings):
        names = [op.get_friendly_name() for op in model.get_ops()]
        if any(name.startswith(f"{self._layer}/fq_weights") for name in names):
            msg = f"Exception from plugin.cpp:1:\nno kernel for {self._layer}"
            raise RuntimeError(msg)
        return self._real.compile_model(model, *settings)


@pytest.fixture
def refusing(monkeypatch):
    def refuse(layer: str):
        monkeypatch.setattr(_runtime, "core", lambda: Refusing(layer))

    return refuse


def quantized(result):
    return [r for r in result.records if r.state is TrialState.COMPLETE and not r.is_baseline]


@pytest.mark.parametrize("sampler", ["front", pytest.param("random", marks=pytest.mark.slow)])
def test_what_a_device_refuses_is_left_in_float_in_the_next_proposals(refusing, sampler, tmp_path):
    refusing("depthwise")
    given = {"space": {"subset_sizes": [24], "sampler": sampler, "precisions": "group"}, "isolate": False}
    with pytest.warns(UserWarning, match="left in float in all that follows.*'depthwise': .*no kernel for depthwise"):
        result = search(**given, n_trials=8, out=tmp_path / "run")
    failed = [record for record in result.records if record.state is TrialState.FAILED]
    assert [record.origin for record in failed] == ["int8"]
    assert "no kernel for depthwise" in failed[0].error
    assert len(quantized(result)) == 6
    assert all("depthwise" in record.plan.float_groups for record in quantized(result))
    assert any(len(record.plan.float_groups) == 1 for record in quantized(result))
    # A session that goes on knows.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = search(**given, n_trials=10, out=tmp_path / "run")
    assert len([record for record in again.records if record.state is TrialState.FAILED]) == 1
    assert len(quantized(again)) == 8


def test_what_fails_only_when_it_is_scored_is_found_too(monkeypatch):
    evaluate = Evaluator.evaluate

    def failing(self, model, *rest):
        if any(op.get_friendly_name().startswith("conv_2/fq_weights") for op in model.get_ops()):
            msg = "inference fails on validation samples from number 0: no kernel"
            raise DeviceError(msg)
        return evaluate(self, model, *rest)

    monkeypatch.setattr(Evaluator, "evaluate", failing)
    with pytest.warns(UserWarning, match=r"'conv_2': inference fails on validation samples"):
        result = search(isolate=False, n_trials=6)
    assert len(quantized(result)) == 4
    assert all("conv_2" in record.plan.float_groups for record in quantized(result))


def test_a_device_that_takes_nothing_in_int8_ends_the_search_with_the_float_model(monkeypatch):
    class Nothing(Refusing):
        def compile_model(self, model, *settings):
            if any(op.get_type_name() == "FakeQuantize" for op in model.get_ops()):
                raise RuntimeError("nothing of that")
            return self._real.compile_model(model, *settings)

    monkeypatch.setattr(_runtime, "core", lambda: Nothing(""))
    model = conv_net()
    with pytest.warns(UserWarning, match="nothing of that"):
        result = search(model, isolate=False, n_trials=8)
    assert [record.state for record in result.records] == [TrialState.FAILED, TrialState.COMPLETE]
    assert "nothing of that" in result.verdict
