import json

import pytest

from autoq.core import PlanError, RangeEstimator

QUANTILE = {"statistic": "quantile", "aggregator": "mean", "outlier_probability": 1e-3}


@pytest.mark.parametrize("name", RangeEstimator.named())
def test_usual_estimators_are_written_by_name(name):
    assert RangeEstimator.parse(name.upper()).to_plain() == str(RangeEstimator.parse(name)) == name


def test_other_estimators_are_written_in_full():
    values = {"minimum": QUANTILE, "maximum": {"statistic": "max", "aggregator": "mean", "outlier_probability": 1e-4}}
    estimator = RangeEstimator.parse(values)
    assert estimator.to_plain() == values
    assert RangeEstimator.parse(json.dumps(values)) == estimator
    assert str(estimator) == "mean of quantile..mean of max"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("max", "range estimator 'max' is unknown"),
        ({"minimum": QUANTILE}, r"takes the keys 'minimum' and 'maximum', got \['minimum'\]"),
        ({"minimum": QUANTILE, "maximum": {"statistic": "max"}}, "lacks 'aggregator'"),
        ({"minimum": QUANTILE, "maximum": {**QUANTILE, "clip": 3}}, "key 'clip' is unknown"),
        ({"minimum": QUANTILE, "maximum": {**QUANTILE, "statistic": "mx"}}, "sample statistic 'mx' is unknown"),
        ({"minimum": QUANTILE, "maximum": {**QUANTILE, "outlier_probability": 0.7}}, "0.7: it must lie between"),
        (
            {"minimum": QUANTILE, "maximum": {**QUANTILE, "statistic": "raw"}},
            "'raw' does not go with aggregator 'mean'",
        ),
        ({"minimum": QUANTILE, "maximum": {"statistic": "raw", "aggregator": "mse"}}, "cannot be combined"),
    ],
)
def test_what_an_estimator_does_not_understand_is_named(value, message):
    with pytest.raises(PlanError, match=message):
        RangeEstimator.parse(value)
