"""What `sparsity` of `autoq.finetune` may be, and what is said of all else."""

import pytest

from autoq.api.tuning._settings import TuningSettings
from autoq.core import ConfigError, Sparsity, SparsitySchedule, SparsityScheme

LOCAL, GLOBAL = SparsityScheme.LOCAL, SparsityScheme.GLOBAL
CUBIC, LINEAR, EXPONENTIAL = SparsitySchedule.CUBIC, SparsitySchedule.LINEAR, SparsitySchedule.EXPONENTIAL
FORMS = r"it must be a share of zeros below 1, text such as 'local 0\.5'"


def read(value: object) -> Sparsity | None:
    return TuningSettings.of(steps=5, sparsity=value).sparsity


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (0.5, Sparsity(GLOBAL, 0.5, CUBIC, 0.5)),
        ("0.5", Sparsity(GLOBAL, 0.5, CUBIC, 0.5)),
        ("Local 0.5 linear", Sparsity(LOCAL, 0.5, LINEAR, 0.5)),
        ("exponential 0.8 over 0.7", Sparsity(GLOBAL, 0.8, EXPONENTIAL, 0.7)),
        ("local 0.3,0.8 over 0.4", Sparsity(LOCAL, 0.8, SparsitySchedule.STEPS, 0.4, (0.3, 0.8))),
        ("regularized 0.7", Sparsity(SparsityScheme.REGULARIZED, 0.7, CUBIC)),
        ("local 0.5 at once", Sparsity(LOCAL, 0.5, SparsitySchedule.AT_ONCE)),
        ("2:4", Sparsity(SparsityScheme.TWO_OF_FOUR, 0.5, SparsitySchedule.AT_ONCE)),
        ({"scheme": "2:4", "ratio": 0.5}, Sparsity(SparsityScheme.TWO_OF_FOUR, 0.5, SparsitySchedule.AT_ONCE)),
        ({"ratio": 0, "scheme": "local", "schedule": "linear", "grows": 1}, Sparsity(LOCAL, 0.0, LINEAR, 1.0)),
        (
            {"schedule": "steps", "levels": [0.3, 0.8], "grows": 0.4},
            Sparsity(GLOBAL, 0.8, SparsitySchedule.STEPS, 0.4, (0.3, 0.8)),
        ),
    ],
    ids=str,
)
def test_each_way_to_write_it_means_the_same_settings(given, meant):
    assert read(given) == meant


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *((value, FORMS) for value in ("half", "best 0.5", "3:4", True, "", "local")),
        *((value, FORMS) for value in ("0.5 0.6", "0.5 over", "0.5 over x", "0.3,x", "local 0.3,")),
        (1.0, r"sparsity ratio is 1\.0: it must be a share of zeros of at least 0, and below 1"),
        ({"ratio": -0.1}, r"sparsity ratio is -0\.1: it must be"),
        ({"scheme": "local"}, r"sparsity has no ratio: it must be"),
        ({"ratio": 0.5, "schema": "local"}, r"sparsity key 'schema' is unknown: did you mean 'scheme'"),
        ({"ratio": 0.5, "scheme": "movement"}, r"sparsity scheme is 'movement': it must be one of 'local', 'global'"),
        ({"ratio": 0.5, "schedule": 3}, r"sparsity schedule is 3: it must be one of 'cubic', 'exponential', 'linear'"),
        ("0.5 over 2", r"sparsity grows over 2\.0: it must be a share of the training above 0, and at most 1"),
        ("0.5 at once over 0.3", r"sparsity grows over 0\.3, and its schedule is 'at once': leave one of them out"),
        ("2:4 linear", r"sparsity has schedule, and the scheme 2:4, which makes its zeros at once"),
        ({"scheme": "2:4", "ratio": 0.4}, r"sparsity ratio is 0\.4, and the scheme 2:4: half of its weights are zero"),
        ({"ratio": 0.5, "levels": [0.5]}, r"sparsity has levels, and the schedule 'cubic': they belong to 'steps'"),
        ({"schedule": "steps", "levels": [0.6, 0.5]}, r"sparsity levels are \[0\.6, 0\.5\]: they must be shares"),
        ({"schedule": "steps", "levels": []}, r"sparsity levels are \[\]: they must be shares"),
        ({"ratio": 0.5, "schedule": "steps", "levels": [0.4]}, r"levels end with 0\.4, and its ratio is 0\.5"),
    ],
    ids=str,
)  # fmt: skip
def test_all_else_is_refused_in_a_sentence(wrong, words):
    with pytest.raises(ConfigError, match=words):
        read(wrong)
