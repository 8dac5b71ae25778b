"""Sensitivities of groups of channels, beside models that are pruned one group at a time and run by OpenVINO."""

import numpy as np
import openvino as ov
import pytest
from channel_nets import three_convs

import autoq
from autoq.core import ConfigError, ModelError, PlanError
from autoq.graph import IgnoredScope

MODEL = autoq.read_model(three_convs())
IMAGES = list(np.random.default_rng(0).normal(0, 1, (12, 3, 6, 6)).astype(np.float32))
GROUPS = ("first", "second", "third")


def outputs(model):
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.stack([next(iter(compiled(image[None]).values())) for image in IMAGES])


def nmse(model):
    expected, found = outputs(MODEL), outputs(model)
    return float(np.square(found - expected).mean() / expected.var())


def pruned(keep, *ignored):
    scope = IgnoredScope(names=ignored) if ignored else None
    given = {"widths": "equal", "multiple_of": 2, "repair": "one_shot", "ignored_scope": scope, "progress": False}
    return autoq.prune(MODEL, IMAGES, ratio=1 - keep, **given)


@pytest.fixture(scope="module")
def report():
    return autoq.sensitivity(MODEL, IMAGES, widths=[0.5, 0.75], multiple_of=2, measure="nmse", progress=False)


def test_each_group_alone_distorts_as_a_model_without_its_channels(report):
    by_name = {unit.unit: unit for unit in report.units}
    assert set(by_name) == set(GROUPS)
    # What is ignored keeps the channels that it reads, too.
    for name, ignored in {"first": ["third"], "third": ["first", "second"]}.items():
        assert by_name[name].distortion == pytest.approx(nmse(pruned(0.5, *ignored)), rel=0.05)
        assert by_name[name].others["0.75"] == pytest.approx(nmse(pruned(0.75, *ignored)), rel=0.05)
    assert report.whole == pytest.approx(nmse(pruned(0.5)), rel=0.05)
    ranking = [unit.distortion for unit in report.units]
    assert ranking == sorted(ranking, reverse=True)
    assert "cut to 0.5 of the channels" in repr(report)


def test_the_most_sensitive_ones_are_a_scope_for_pruning(report):
    scope = report.ignored_scope(count=1)
    model = autoq.prune(MODEL, IMAGES, ratio=0.5, multiple_of=4, widths="equal", ignored_scope=scope, progress=False)
    widths = {
        op.get_friendly_name(): op.get_output_shape(0)[1] for op in model.get_ops() if "Conv" in op.get_type_name()
    }
    whole = {
        op.get_friendly_name(): op.get_output_shape(0)[1] for op in MODEL.get_ops() if "Conv" in op.get_type_name()
    }
    kept = {name for name in GROUPS if widths[name] == whole[name]}
    assert kept == {report.units[0].unit}


def test_what_cannot_be_measured_is_told():
    def measured(**given):
        return autoq.sensitivity(MODEL, IMAGES, progress=False, **given)

    with pytest.raises(PlanError, match="widths holds 1: a share of channels that are kept is above 0 and below 1"):
        measured(widths=[0.5, 1])
    with pytest.raises(PlanError, match="widths is 'half': it must be a list of shares"):
        measured(widths="half")
    with pytest.raises(PlanError, match="multiple_of is 0"):
        measured(widths=0.5, multiple_of=0)
    with pytest.raises(ModelError, match=r"no channels that go with widths 0\.9 and multiple_of 64"):
        measured(widths=0.9, multiple_of=64)
    with pytest.raises(ConfigError, match="pass one of them"):
        measured(widths=0.9, weight_formats="int8_asym")
