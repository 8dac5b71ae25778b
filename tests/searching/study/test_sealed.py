"""What a study keeps is looked at when it is read: a database does not notice a value that was damaged."""

import optuna
import pytest

from autoq.core import StoredFileError
from autoq.searching.study import Study
from autoq.searching.study._sealed import sealed, unsealed
from autoq.searching.study._storage import Storage


@pytest.mark.parametrize("value", [None, 0, "x", [1.5, None], {"a": {"1": True}}])
def test_values_come_back(value):
    assert unsealed(sealed(value), "here") == value


def test_nothing_kept_is_none():
    assert unsealed(None, "here") is None


def test_a_study_says_which_of_its_values_is_damaged():
    storage = Storage.in_memory()
    study = Study(storage, "net", sampler="random", seed=0, identity={})
    study.remember("token", "abc")
    assert study.recall("token") == "abc"
    raw = optuna.load_study(study_name="net", storage=storage.kept)
    raw.set_user_attr("autoq/token", raw.user_attrs["autoq/token"] | {"value": "abd"})
    with pytest.raises(
        StoredFileError, match=r"'autoq/token' of study 'net', a value of a search, is damaged: its digest"
    ):
        study.recall("token")
    newer = sealed("abc")
    newer["autoq"]["version"] += 1
    raw.set_user_attr("autoq/token", newer)
    with pytest.raises(StoredFileError, match="was written by a newer autoq"):
        study.recall("token")
