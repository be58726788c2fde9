"""Declared forms of samples and labels as JSON, for the record."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

Json = dict[str, Any]


def target_to_json(target: TargetSpec) -> Json:
    """A target spec as JSON."""
    return _plain(asdict(target))


def target_from_json(data: Mapping[str, Any]) -> TargetSpec:
    """The target spec that :func:`target_to_json` wrote."""
    return TargetSpec(**_tuples(data))


def samples_to_json(spec: SampleSpec) -> Json:
    """A sample spec as JSON."""
    return {"input": spec.input, "fields": {name: _plain(asdict(field)) for name, field in spec.fields.items()}}


def samples_from_json(data: Mapping[str, Any]) -> SampleSpec:
    """The sample spec that :func:`samples_to_json` wrote."""
    return SampleSpec({name: FieldSpec(**_tuples(field)) for name, field in data["fields"].items()}, data["input"])


_NEWER = ("spacing_mm", "regions", "groups")
"""Left out where they say nothing, so that a form that lacks them keeps its digest."""


def _plain(data: Mapping[str, Any]) -> Json:
    return {name: _list(value) for name, value in data.items() if value or name not in _NEWER}


def _tuples(data: Mapping[str, Any]) -> Json:
    return {name: _tuple(value) for name, value in data.items()}


def _list(value: Any) -> Any:
    return [_list(each) for each in value] if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value
