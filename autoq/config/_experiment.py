"""Experiment files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from autoq.config._beside import path_beside, storage_beside, store_beside
from autoq.config._code import load_data, load_function, load_metric
from autoq.core import ConfigError, Until, mapping_of, parse_fields, read_yaml

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class ExperimentBudget(BaseModel):
    """When a search stops.

    Attributes:
        n_trials: Candidates measured.
        timeout_s: Seconds.
        trial_timeout_s: Seconds until a candidate that the device does not finish is given up.
        until: "gain" ends the search before that, if nothing more is to be gained; "time" does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_trials: int | None = Field(default=None, ge=1)
    timeout_s: float | None = Field(default=None, gt=0)
    trial_timeout_s: float | None = Field(default=None, gt=0)
    until: Until = Until.GAIN


class Tracking(BaseModel):
    """The MLflow store and experiment of the runs. In a file, the store may be written alone.

    Attributes:
        uri: URI of the store; by default the one that `MLFLOW_TRACKING_URI` names, else "sqlite:///mlflow.db"; "off" is
            none.
        experiment: Name of the experiment, by default "autoq".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = None
    experiment: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_store(cls, value: Any) -> Any:  # a mapping of the fields, or the store alone
        return {"uri": value} if isinstance(value, str) or value is False else value

    @field_validator("uri", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:  # YAML reads a bare off as false
        return "off" if value is False else value


class FineTune(BaseModel):
    """What is trained after the trials; the keys of `autoq.search(finetune=...)`.

    Attributes:
        top: Most models that are trained.
        data: Inputs to train on, in the forms of `calibration`; by default the calibration data.
        timeout_s: Seconds for all models together.
        steps: Or the number of steps of each.
        epochs: Or how often each sample is trained on.
        lr: Highest learning rate, or "auto".
        loss: "kl" or "nmse"; or `file.py:function`, for pairs of inputs and target as data.
        loss_share: Share of that function.
        batch_size: Samples of a step.
        seed: Of the order of the samples; by default that of the search.
        device: Where PyTorch computes.
        lora_rank: Rank of the adapters of compressed matrices.
        augment: Views of the samples: some of shift, flip and mix, "auto", or "none".
        precision: What products are computed in: "f32", "bf16" or "auto".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: int | None = None
    data: str | dict[str, Any] | None = None
    timeout_s: float | None = None
    steps: int | None = None
    epochs: int | None = None
    lr: float | str | None = None
    loss: str | None = None
    loss_share: float | None = None
    batch_size: int | None = None
    seed: int | None = None
    device: str | None = None
    lora_rank: int | None = None
    augment: str | tuple[str, ...] | None = None
    precision: str | None = None

    def arguments(self, folder: Path) -> dict[str, Any]:
        """The keys that are given, with data and code in place of their names.

        Args:
            folder: Folder that relative paths start in.

        Raises:
            ConfigError: Code or data cannot be found.
        """
        found = {name: value for name, value in self if value is not None}
        if self.data is not None:
            found["data"] = load_data(self.data, folder)
        if self.loss is not None:
            found["loss"] = load_metric(self.loss, folder)
        return found


class ExperimentConfig(BaseModel):
    """One experiment, as its YAML file describes it.

    Paths of models, data and code, `out`, `storage` and the store of `tracking` are relative to the file. The last
    three are absolute once the file is read.

    Attributes:
        name: Name of the study and of the MLflow run.
        model: Path of the model, or `file.py:function` that returns one.
        calibration: `file.py:function` that returns what `autoq.search` takes; a path of `.npy`, `.npz`, `.csv`, an
            image, a folder or a pattern of images; or {images: folder, size: ..., mean: ..., scale: ..., layout: ...}
            or {images: file.csv, path: column, label: column, classes: [...]},
            or {csv: file, tokenize: file.py:function}; or for decoders {texts: file, tokenizer: folder of the model,
            length: ..., most: ..., skip: ...}.
        validation: Labelled data, in the same forms; a `.npz` holds `x` and `y`, a folder of images has a sub-folder
            for each class, a `.csv` lists images and classes.
        holdout: Labelled data that the search never sees; false holds out nothing.
        metric: Name, or `file.py:function` or `file.py:object`.
        evaluate: `file.py:function`, instead of `metric`.
        sample: Input to time with: `file.py:function`, `.npy` or an image.
        max_drop: A number, or a percentage.
        max_latency: A number of ms, "0.8 ms", or a percentage of the float model's.
        max_size: A number of bytes, "2 MB", or a percentage of the float model's.
        choose: Rule of the choice: "fastest", "accurate", "smallest", "knee", or a list of criteria.
        against: What accuracy is weighed against: "latency" or "size".
        space: Name, path or keys of a search space.
        budget: Budget of the search.
        finetune: What is trained after the trials; nothing by default.
        device: OpenVINO device.
        model_type: "transformer", or nothing.
        target_device: Hardware table.
        runtime: Fields of `RuntimeConfig`.
        reset_state: When a model with state is reset: "sample" (before each sample) or "never".
        storage: Optuna URL; by default a file in `out`.
        tracking: MLflow store and experiment.
        seed: Seed of the sampler.
        isolate: Score and time in a process of its own.
        out: Folder of the run.
        quick: Keys that replace those above for a smoke test.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: str | None = None
    model: str
    calibration: str | dict[str, Any]
    validation: str | dict[str, Any]
    holdout: str | dict[str, Any] | Literal[False] | None = None
    metric: str | None = None
    evaluate: str | None = None
    sample: str | dict[str, Any] | None = None
    max_drop: float | str | None = None
    max_latency: float | str | None = None
    max_size: float | str | None = None
    choose: str | list[str] | None = None
    against: str | None = None
    space: str | dict[str, Any] | None = None
    budget: ExperimentBudget = ExperimentBudget()
    finetune: FineTune | None = None
    device: str = "CPU"
    model_type: str | None = None
    target_device: str = "ANY"
    runtime: dict[str, Any] = Field(default_factory=dict)
    reset_state: str | None = None
    storage: str | None = None
    tracking: Tracking = Tracking()
    seed: int = 0
    isolate: bool = True
    out: str | None = None
    quick: dict[str, Any] | None = None

    _folder: Path = PrivateAttr(default=Path())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, quick: bool = False) -> Self:
        """Reads an experiment file.

        Args:
            path: Path of the YAML file.
            quick: Apply its `quick` section.

        Raises:
            ConfigError: The file does not read, a key is unknown, a value makes no sense, or a variable is not set.
        """
        file = Path(path)
        values = read_yaml(file, "experiment")
        where = f"experiment {str(file)!r}"
        if isinstance(values, Mapping) and quick:
            values = {**values, **mapping_of(values.get("quick") or {}, f"quick of {where}", ConfigError)}
        config = parse_fields(cls, _expand(values, file), where)
        folder = file.resolve().parent
        store = config.tracking.uri
        config = config.model_copy(
            update={
                "out": None if config.out is None else path_beside(folder, config.out),
                "storage": None if config.storage is None else storage_beside(folder, config.storage),
                "tracking": config.tracking.model_copy(
                    update={"uri": None if store is None else store_beside(folder, store)}
                ),
            }
        )
        config._folder = folder
        return config

    def search_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `autoq.search`. This calls the user's code and reads the user's files.

        Raises:
            ConfigError: Code or data cannot be found.
        """
        space = self.space
        if isinstance(space, str) and space.endswith((".yaml", ".yml")):
            space = str(self._folder / space)
        function = None if self.evaluate is None else load_function(self.evaluate, self._folder)
        metric: Any = None if self.metric is None else load_metric(self.metric, self._folder)
        return {
            "model": load_data(self.model, self._folder) if ".py:" in self.model else self._folder / self.model,
            "calibration": load_data(self.calibration, self._folder),
            "validation": load_data(self.validation, self._folder),
            "holdout": load_data(self.holdout, self._folder) if isinstance(self.holdout, str | dict) else self.holdout,
            "sample": None if self.sample is None else load_data(self.sample, self._folder),
            "metric": metric,
            "evaluate": function,
            "max_drop": self.max_drop,
            "max_latency": self.max_latency,
            "max_size": self.max_size,
            "choose": self.choose,
            "against": self.against,
            "space": space,
            "device": self.device,
            "n_trials": self.budget.n_trials,
            "timeout_s": self.budget.timeout_s,
            "trial_timeout_s": self.budget.trial_timeout_s,
            "until": self.budget.until,
            "finetune": None if self.finetune is None else self.finetune.arguments(self._folder),
            "storage": self.storage,
            "tracking_uri": self.tracking.uri,
            "experiment": self.tracking.experiment,
            "seed": self.seed,
            "isolate": self.isolate,
            "out": self.out,
            "name": self.name,
            "model_type": self.model_type,
            "target_device": self.target_device,
            "runtime": self.runtime,
            "reset_state": self.reset_state,
        }


def _expand(value: Any, file: Path) -> Any:  # any YAML value
    """Replaces `${NAME}` by environment variables."""
    if isinstance(value, Mapping):
        return {key: _expand(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, file) for item in value]
    if not isinstance(value, str):
        return value

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            msg = f"experiment {str(file)!r}: {value!r} needs the environment variable {name}, which is not set."
            raise ConfigError(msg)
        return os.environ[name]

    return _VARIABLE.sub(put, value)
