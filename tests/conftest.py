"""Fixtures shared by all tests; modules of this folder can be imported by every test."""

import os
import shutil

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does, and on what it is the first to import.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure():
    """Gives each of several processes that share the tests out a core of its own.

    Each inference of a small network would otherwise wait for a core that the other processes keep busy. It has to be
    done before numpy or OpenVINO starts a thread, so they are not imported above.
    """
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture
def model():
    """A small convolutional classifier."""
    from networks import conv_net

    return conv_net()


@pytest.fixture(scope="session", autouse=True)
def brief_timing():
    """Searches time each candidate and each finalist for a moment.

    Small networks take microseconds, and how exactly those are known is tested with the timer alone.
    """
    from autoq.api.searches import _prepare, _shares

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_prepare, "_TIMING_S", 0.05)
        patch.setattr(_shares, "FINALIST_S", 0.1)
        yield


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    """What is shared out among the cores is shared out among two, on whatever machine and core a test runs."""
    from autoq.api.quantizing import _accuracy_control
    from autoq.calibration.collecting import _batches
    from autoq.transform.compress import _encoded
    from autoq.transform.quantize import _weight_ranges

    with pytest.MonkeyPatch.context() as patch:
        for module in (_accuracy_control, _batches, _encoded, _weight_ranges):
            patch.setattr(module, "cpu_count", lambda: 2)
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The file of an MLflow store that is made once: its tables take a second."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path, empty_store):
    """The URI of an MLflow store with nothing in it, mlflow.db in the test's own folder."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
