"""`autoq init`."""

from __future__ import annotations

import os
import shlex

import click

from autoq.cli._show import as_json, print_json
from autoq.core import OutputError, made_folder, path_of, write_text

_YAML = """\
# One experiment: autoq search experiment.yaml
name: my_model
model: model.xml                       # or .onnx, a SavedModel folder, .tflite, .pdmodel, .pt2, my_data.py:model
calibration: my_data.py:calibration    # or .npy, .npz, .csv, {images: folder, scale: 255}
validation: my_data.py:validation      # pairs of (inputs, target); or images: a folder for each class, or a .csv
# holdout: my_data.py:holdout          # pairs that the search never sees; a fifth of 1,000 or more by default
metric: accuracy                       # or my_data.py:metric
max_drop: 0.01                         # in the metric's unit, or relative to the float model: "1%"
# max_latency: 5 ms                    # or "50%" of the float model's
# max_size: 2 MB                       # or "25%"
# choose: accurate                     # or fastest, smallest, knee, [accuracy, latency, size]
# against: size                        # what accuracy is weighed against: latency, or size
space: cnn                             # or transformer, quick, or the path of your own
# model_type: transformer
budget: {timeout_s: 600}               # or n_trials: 60
device: CPU
out: runs/my_model                     # beside this file, as all paths here
# tracking: sqlite:///mlflow.db        # a store of MLflow's, a server's address, or off
"""

_CODE = '''\
"""The data and the metric of experiment.yaml."""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def calibration():
    """Model inputs: an array [n, ...], a dict of arrays, or anything that yields samples."""
    return np.load(HERE / "calibration.npy")


def validation():
    """Anything that yields pairs of (inputs, target); or two arrays (x, y) with one sample a row."""
    return np.load(HERE / "x.npy"), np.load(HERE / "y.npy")


def metric(outputs, target):
    """Higher is better. outputs: the model's output arrays for one inference."""
    return float(outputs[0][0].argmax() == target)
'''


@click.command()
@click.argument("folder", type=click.Path(file_okay=False), default=".")
@as_json
def init(folder: str, *, json_output: bool) -> None:
    """Writes a commented experiment file and a Python file for your own model, data and metric into FOLDER."""
    place = path_of(folder, "folder", OutputError)
    files = {place / "experiment.yaml": _YAML, place / "my_data.py": _CODE}
    for path in files:
        if os.path.lexists(path):
            msg = f"{str(path)!r} exists and is left as it is; name another folder."
            raise OutputError(msg)
    made_folder(place, "folder")
    for path, text in files.items():
        write_text(path, text)
    if json_output:
        print_json({"files": [str(path) for path in files]})
    else:
        written = " and ".join(str(path) for path in files)
        click.echo(f"{written}: edit them, then run autoq search {shlex.quote(str(place / 'experiment.yaml'))}")
