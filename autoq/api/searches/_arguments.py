"""The arguments of a search, checked and read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.api.results._folder import RunFolder
from autoq.core import (
    ConfigError,
    ResetState,
    RuntimePrecision,
    mapping_of,
    printable,
    quoted,
    whole_number,
)
from autoq.evaluation.device import RuntimeConfig

# Characters of the name of a study or an experiment; Optuna and MLflow keep a few more.
_LONGEST_NAME = 400


def check_texts(seed: int, names: Mapping[str, str | None], **given: object) -> None:
    """Checks that a seed is a number, and that names and other texts are texts where they are given.

    Args:
        seed: Seed of a search.
        names: Names that databases keep and terminals show.
        given: Other texts.

    Raises:
        ConfigError: One of them is not. Or a name has spaces alone, is too long, or has characters that cannot be
            printed.
    """
    whole_number(seed, "seed", least=0, error=ConfigError)
    for key, value in {**names, **given}.items():
        if value is not None and not isinstance(value, str):
            msg = f"{key} is {quoted(value)}: it must be a text."
            raise ConfigError(msg)
    for key, name in names.items():
        if name and (not name.strip() or printable(name) != name):
            msg = f"{key} is {quoted(name)}: it must have visible characters, and besides them nothing but spaces."
            raise ConfigError(msg)
        if name and len(name) > _LONGEST_NAME:
            msg = f"{key} is {quoted(name)}: it has {len(name)} characters, and may have {_LONGEST_NAME} at most."
            raise ConfigError(msg)


def runtime_of(
    runtime: RuntimeConfig | Mapping[str, Any] | None, device: str, reset_state: str | None
) -> RuntimeConfig:
    """Compile settings as a user gives them.

    Raises:
        ConfigError: A field is unknown, or its value makes no sense, or it is for the search to choose.
    """
    if not isinstance(runtime, RuntimeConfig):
        runtime = RuntimeConfig.from_dict({"device": device, **mapping_of(runtime or {}, "runtime", ConfigError)})
    if runtime.inference_precision is not RuntimePrecision.DEFAULT:
        asked = runtime.inference_precision
        msg = (
            f"runtime inference_precision is {asked}: a search chooses the precision of float layers. "
            f"Write runtime_precisions: [{asked}] in the search space."
        )
        raise ConfigError(msg)
    return runtime if reset_state is None else replace(runtime, reset_state=ResetState.parse(reset_state))


def title_of(model: object, network: ov.Model, folder: RunFolder | None) -> str:
    """The name of a search where the user gives none."""
    if folder is not None:
        name = folder.path.resolve().name
    else:
        name = Path(model).stem if isinstance(model, str | os.PathLike) else network.get_friendly_name()
    return printable(name)[:_LONGEST_NAME].strip() or "search"
