"""What takes long to import is imported where it is used: no command, script or device process waits for the rest."""

import subprocess
import sys
from pathlib import Path

import pytest

from autoq.evaluation.isolation import DeviceProcess

# They take from a fifth of a second to several seconds each.
HEAVY = {
    "matplotlib",
    "mlflow",
    "nncf",
    "onnx",
    "optuna",
    "pandas",
    "plotly",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "sqlalchemy",
    "torch",
}
NUMERIC = {"numpy", "openvino", "scipy"}
HELP = "import autoq.cli\nsys.argv = ['autoq', '--help']\ntry: autoq.cli.main()\nexcept SystemExit: pass"
WORK = """
import autoq, numpy as np
from networks import conv_net, images
quantized = autoq.quantize(conv_net(), images(8), progress=False)
autoq.evaluate(quantized, (images(8), np.zeros(8, int)), metric="accuracy")
"""


@pytest.mark.parametrize(
    ("code", "not_needed"),
    [("import autoq", HEAVY | NUMERIC), (HELP, HEAVY | NUMERIC - {"numpy"}), (WORK, HEAVY)],
    ids=["the package", "its help", "quantized and scored"],
)
def test_nothing_is_imported_that_is_not_needed(code, not_needed):
    entry = f"import sys\ndef told(): print(sorted({not_needed} & set(sys.modules)), file=sys.stderr)\n{code}\ntold()\n"
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{entry}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "[]\n"


def test_a_device_process_imports_nothing_that_it_does_not_need():
    process = DeviceProcess()
    try:
        process.make(lambda stage, quiet: sys.modules, {}, timeout_s=60)
        assert process.call("__contains__", "openvino", timeout_s=60)
        assert [name for name in sorted(HEAVY) if process.call("__contains__", name, timeout_s=60)] == []
    finally:
        process.close()
