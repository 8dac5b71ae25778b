import subprocess
import sys

import pytest

import autoq


def test_every_public_name_is_there():
    for name in autoq.__all__:
        assert getattr(autoq, name) is not None


def test_importing_autoq_loads_nothing_heavy():
    heavy = ["openvino", "optuna", "mlflow", "numpy", "matplotlib"]
    code = f"import sys, autoq; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(autoq, "quantise")


@pytest.mark.parametrize("first", ["import autoq.search", "from autoq.search import ParetoFront", "import autoq.cli"])
def test_search_is_the_function_whatever_was_imported_before(first):
    code = f"{first}; import autoq; from autoq import search; print(autoq.search is search, callable(search))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"
