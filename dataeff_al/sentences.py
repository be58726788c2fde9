"""Broken rules of a model as plain sentences with the place of each: ``must be at least 1, but got 0.``"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dataeff_al.registry import nearest

Loc = tuple[str | int, ...]
"""Where in plain data: keys and list positions."""

MAX_FINDINGS = 100
_LONGEST = 80

_MUST: Mapping[str, str] = {
    "missing": "must be given",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be null",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "path_type": "must be a file name",
}


@dataclass(frozen=True)
class Finding:
    """One broken rule: its place, the condition that must hold, what was found (shown) and a hint."""

    loc: Loc
    must: str
    got: str | None = None
    hint: str = ""

    @property
    def message(self) -> str:
        """The finding as a sentence."""
        text = self.must if self.got is None else f"{self.must}, but got {self.got}"
        return " ".join(filter(None, [text if text.endswith((".", "?")) else f"{text}.", self.hint]))

    def under(self, loc: Loc) -> "Finding":
        """The same finding seen from further out."""
        return Finding((*loc, *self.loc), self.must, self.got, self.hint)


class FindingsError(ValueError):
    """Raised inside a validator to hand several findings, placed relative to the validated value, to the outside."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{path_text(finding.loc)}: {finding.message}" for finding in findings))


def path_text(loc: Loc) -> str:
    """A place as people write it: ``compare[0].sampler.kind``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")


def shown(value: Any) -> str:
    """``value`` as Python shows it, cut to a readable length."""
    if isinstance(value, Mapping):
        return f"a mapping with keys {_cut(', '.join(map(str, value)))}" if value else "an empty mapping"
    return _cut(repr(value[:_LONGEST] if isinstance(value, str | list) else value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def name_hint(name: Any, known: Iterable[str]) -> str:
    """``Did you mean 'steps'?`` when a known name is close in spelling, else nothing."""
    close = nearest(name, list(known)) if isinstance(name, str) and len(name) <= _LONGEST else None
    return f"Did you mean {close!r}?" if close else ""


def unknown_key(loc: Loc, known: Iterable[str]) -> Finding:
    """The finding for a key (the last of ``loc``) that does not exist."""
    names = sorted(known)
    return Finding(loc, f"a key here must be one of {', '.join(names)}", shown(loc[-1]), name_hint(loc[-1], names))


def findings(error: ValidationError, model: type[BaseModel], data: Any, also: Iterable[str] = ()) -> list[Finding]:
    """Every broken rule that pydantic found in ``data`` for ``model``, one finding for each place.

    ``also``: keys that are known at the outermost level beside the model's fields.
    """
    found: dict[Loc, Finding] = {}
    for entry in error.errors(include_url=False)[:MAX_FINDINGS]:
        for finding in _translate(entry, model, data, also):
            before = found.get(finding.loc)
            found[finding.loc] = finding if before is None else _either(before, finding)
    return list(found.values())


def _either(one: Finding, other: Finding) -> Finding:
    if one.got is None or one.must == other.must:
        return one
    return Finding(one.loc, f"{one.must} or {other.must}", one.got, one.hint or other.hint)


def _translate(entry: Mapping[str, Any], model: type[BaseModel], data: Any, also: Iterable[str]) -> list[Finding]:
    loc = _real_loc(entry, model, data)
    cause = entry.get("ctx", {}).get("error")
    if isinstance(cause, FindingsError):
        return [finding.under(loc) for finding in cause.findings]
    if entry["type"] == "extra_forbidden":
        return [unknown_key(loc, {*_keys_at(model, loc[:-1]), *(also if len(loc) == 1 else ())})]
    if entry["type"] == "missing":
        return [Finding(loc, _MUST["missing"])]
    if cause is not None:
        return [Finding(loc, str(cause))]
    return [_plain(loc, entry)]


def _plain(loc: Loc, entry: Mapping[str, Any]) -> Finding:
    context = entry.get("ctx", {})
    template = _MUST.get(entry["type"])
    must = template.format(**context) if template else f"must hold: {entry['msg']}"
    expected = str(context.get("expected", ""))
    hint = name_hint(entry["input"], expected.split("'")[1::2])
    return Finding(loc, must, shown(entry["input"]), hint)


def _real_loc(entry: Mapping[str, Any], model: type[BaseModel], data: Any) -> Loc:
    """The parts of an error's place that stand in the data or could: pydantic adds the names of union members to it."""
    loc: list[str | int] = []
    for part in entry["loc"]:
        if _holds(data, part):
            data = data[part]
        elif part not in _keys_at(model, tuple(loc)):
            continue
        loc.append(part)
    return tuple(loc)


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(data, list) and part < len(data)
    return isinstance(data, Mapping) and part in data


def _keys_at(model: type[BaseModel], loc: Loc) -> set[str]:
    models = [model]
    for part in loc:
        if isinstance(part, str):
            fields = [inner.model_fields[part].annotation for inner in models if part in inner.model_fields]
            # A part that is no field's name is a key of a mapping: what it leads to is the same for all keys.
            models = [found for annotation in fields for found in _models_in(annotation)] if fields else models
    return {name for inner in models for name in inner.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]
