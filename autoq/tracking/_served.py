"""An OpenVINO model as an MLflow pyfunc. This file is copied into the logged model: it must not import autoq."""

from pathlib import Path

import mlflow
import numpy as np
import openvino as ov


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow ships no types
    """Compiles the IR when the model is loaded, and runs one inference per call."""

    def load_context(self, context):  # type: ignore[no-untyped-def]  # MLflow's signature
        """Compiles the model on the device of `model_config`."""
        path = Path(context.artifacts["ir"]) / "model.xml"
        self._compiled = ov.Core().compile_model(path, context.model_config["device"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow's signature
        """Runs the model.

        Args:
            context: Unused; the model was compiled when it was loaded.
            model_input: An array for a model of one input, or a dict of arrays by input name.
            params: Unused.

        Returns:
            Output arrays by name, or by index where an output has none.
        """
        feed = dict(model_input) if isinstance(model_input, dict) else {0: np.asarray(model_input)}
        results = self._compiled(feed)
        names = [next(iter(sorted(port.get_names())), str(index)) for index, port in enumerate(self._compiled.outputs)]
        return {name: results[index] for index, name in enumerate(names)}


mlflow.models.set_model(ServedModel())
