"""The kinds of values in a search space as YAML holds them, with errors that pydantic puts beside the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, model_validator

from autoq.core import PlanError, Precision, RangeEstimator, WeightFormat
from autoq.graph import IgnoredScope


class ScopeRules(BaseModel):
    """One ignored scope: operations that stay in float in every plan that chooses it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _as_fields(cls, value: Any) -> Any:  # whatever IgnoredScope.of takes
        if value is None or isinstance(value, Mapping | cls):
            return value
        try:
            scope = IgnoredScope.of(value)
        except PlanError as error:
            raise ValueError(str(error)) from None
        if scope is not None and scope.subgraphs:
            msg = f"has {len(scope.subgraphs)} sub-graphs: a space holds names, patterns and types"
            raise ValueError(msg)
        return scope and {"names": scope.names, "patterns": scope.patterns, "types": scope.types}

    def to_scope(self) -> IgnoredScope:
        """The scope as placement reads it."""
        return IgnoredScope(names=self.names, patterns=self.patterns, types=self.types)


def _as_list(value: object) -> object:
    """A single choice may be written without brackets."""
    return [value] if isinstance(value, str | int | float | Mapping) or value is None else value


Choices = BeforeValidator(_as_list)


def _estimator(value: Any) -> RangeEstimator:  # whatever YAML holds
    try:
        return RangeEstimator.parse(value)
    except PlanError as error:
        raise ValueError(str(error)) from None


Estimator = Annotated[
    RangeEstimator, PlainValidator(_estimator), PlainSerializer(lambda estimator: estimator.to_plain())
]


def _precision(value: Any) -> Precision:  # whatever YAML holds
    try:
        return Precision.parse(value)
    except PlanError as error:
        raise ValueError(str(error)) from None


def _weight_format(value: Any) -> WeightFormat | None:  # whatever YAML holds
    if value == str(Precision.FLOAT):
        return None
    try:
        return WeightFormat.parse(value)
    except PlanError as error:
        raise ValueError(str(error)) from None


def _format_word(form: WeightFormat | None) -> str:
    return str(Precision.FLOAT if form is None else form)


# None is float.
WeightChoice = Annotated[WeightFormat | None, PlainValidator(_weight_format), PlainSerializer(_format_word)]
UnitPrecision = Annotated[Precision, PlainValidator(_precision), PlainSerializer(str)]
