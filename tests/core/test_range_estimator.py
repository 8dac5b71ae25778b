import json

import pytest

from autoq.core import PlanError, RangeEstimator

QUANTILE = {"statistic": "quantile", "aggregator": "mean", "outlier_probability": 1e-3}


@pytest.mark.parametrize("name", RangeEstimator.named())
def test_usual_estimators_are_written_by_name(name):
    assert RangeEstimator.parse(name.upper()).to_plain() == str(RangeEstimator.parse(name)) == name


# name -> statistic and aggregator of the lower end, and of the upper
NAMED = {
    "min_max": ("min", "min", "max", "max"),
    "mean_min_max": ("min", "mean", "max", "mean"),
    "median_min_max": ("min", "median", "max", "median"),
    "mean_no_outliers": ("min", "mean_no_outliers", "max", "mean_no_outliers"),
    "mean_quantile": ("quantile", "mean", "quantile", "mean"),
    "histogram": ("raw", "histogram", "raw", "histogram"),
    "mse": ("raw", "mse", "raw", "mse"),
    "kl": ("raw", "kl", "raw", "kl"),
}


def test_table():
    found = {
        name: (one.minimum.statistic, one.minimum.aggregator, one.maximum.statistic, one.maximum.aggregator)
        for name, one in RangeEstimator.named().items()
    }
    assert found == NAMED
    searches = {name: one.search for name, one in RangeEstimator.named().items() if one.search is not None}
    assert searches == {"histogram": "histogram", "mse": "mse", "kl": "kl"}
    ends = [end for one in RangeEstimator.named().values() for end in (one.minimum, one.maximum)]
    assert {end.outlier_probability for end in ends} == {1e-4}


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
        ({"minimum": QUANTILE, "maximum": {**QUANTILE, "outlier_probability": 0.5}}, "is 0.5: it must lie between"),
        ({"minimum": {**QUANTILE, "outlier_probability": 0}, "maximum": QUANTILE}, "is 0: it must lie between"),
        ({"minimum": {**QUANTILE, "outlier_probability": "1"}, "maximum": QUANTILE}, "is '1': it must lie between"),
        ({"minimum": QUANTILE, "maximum": QUANTILE, "middle": QUANTILE}, "takes the keys 'minimum' and 'maximum', got"),
        (3, "range estimator 3 is unknown: known: "),
        ('{"minimum": ', "range estimator is no JSON"),
        (
            {name: {"statistic": "raw", "aggregator": of} for name, of in (("minimum", "mse"), ("maximum", "kl"))},
            "'mse' and 'kl' cannot be combined: a search finds both ends at once",
        ),
        (
            {"minimum": {"statistic": "min", "aggregator": "mse"}, "maximum": QUANTILE},
            "'min' does not go with",
        ),
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
