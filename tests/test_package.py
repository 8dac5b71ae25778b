import subprocess
import sys

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
