"""A part of a campaign: a registered name with its validated parameters, as it stands in YAML.

``{kind: si, steps: 20}`` becomes a :class:`PartSpec` when a model declares the field as
``Annotated[PartSpec, PartOf("samplers")]``; a plugin that holds other plugins (a pipeline of labelers) does the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from dataeff_al import registry
from dataeff_al.errors import UnknownNameError
from dataeff_al.registry import Kind, Params, Plugin
from dataeff_al.sentences import Finding, FindingsError, findings, name_hint, shown

JSON_SCHEMA_MARK = "x-dataeff-part"
ModelT = TypeVar("ModelT", bound=BaseModel)


ResourceName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_:.-]{0,63}$")]
ResourceAmount = Annotated[float, Field(gt=0, le=1_000_000)]


class Strict(BaseModel):
    """Base of every model of a campaign file: strict, frozen, an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Runtime(Strict):
    """Where and how a part runs; never what it answers.

    ``replicas``: copies side by side. ``batch``: requests per call, None: what the part prefers. ``timeout_s``: how
    long one attempt (a label, a training step) may take, None: what the part declares. ``cpus``, ``gpus`` and
    ``resources``: what each copy reserves of a cluster, None: nothing. ``memory_gib``: a labeler's process in an actor
    that takes more than this is ended, None: whatever the machine has.
    """

    replicas: Annotated[int, Field(ge=1, le=1024)] = 1
    batch: Annotated[int, Field(ge=1, le=65536)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    cpus: Annotated[float, Field(ge=0, le=1024)] | None = None
    gpus: Annotated[float, Field(ge=0, le=64)] | None = None
    memory_gib: Annotated[float, Field(gt=0, le=65536)] | None = None
    resources: Annotated[dict[ResourceName, ResourceAmount], Field(max_length=16)] | None = None


@dataclass(frozen=True)
class PartSpec:
    """A plugin's name in its group, its parameters with defaults, and its ``runtime`` where the group has one."""

    group: Kind
    kind: str
    params: Params
    runtime: Runtime | None = None

    @property
    def plugin(self) -> Plugin:
        """The light description behind the name."""
        return registry.get(self.group, self.kind)

    @property
    def offers(self) -> frozenset[str]:
        """What the part offers with these parameters."""
        return self.plugin.offers(self.params)

    @property
    def needs(self) -> frozenset[str]:
        """What the part needs with these parameters."""
        return self.plugin.needs(self.params)

    @property
    def seconds(self) -> float | None:
        """Rough cost of one call on one core [s], or None when nobody says."""
        estimate = self.plugin.seconds
        found = None if estimate is None else estimate(self.params)
        return None if found is None else float(found)

    @property
    def members(self) -> int:
        """How many models one fit of this trainer trains, independently of each other."""
        return self.plugin.members(self.params)

    def build(self, context: Any) -> Any:
        """Import the heavy class behind the name and make one."""
        return self.plugin.factory()(self.params, context)

    def canonical(self) -> dict[str, Any]:
        """The part as JSON with defaults written out."""
        data: dict[str, Any] = {"kind": self.kind, **self.params.model_dump(mode="json")}
        if self.runtime is not None:
            data["runtime"] = self.runtime.model_dump(mode="json", exclude_none=True)
        return data


def read_part(group: Kind, data: Any, *, runtime: bool = False) -> PartSpec:
    """Validate a part given as plain data.

    Raises :class:`~dataeff_al.sentences.FindingsError` with every broken rule, placed relative to the part.
    """
    if not isinstance(data, Mapping):
        example = f"{{kind: {next(iter(registry.names(group)), 'NAME')}}}"
        raise FindingsError([Finding((), f"must be a mapping with a kind, such as {example}", shown(data))])
    plugin = _plugin(group, data)
    own = {key: value for key, value in data.items() if key != "kind" and not (runtime and key == "runtime")}
    beside = ("kind", "runtime") if runtime else ("kind",)
    params, found = _validated(plugin.params, own, beside)
    run, run_found = _validated(Runtime, data.get("runtime") or {}) if runtime else (None, [])
    found += [finding.under(("runtime",)) for finding in run_found]
    if found or params is None:
        raise FindingsError(found)
    return PartSpec(group, plugin.name, params, run)


def _validated(model: type[ModelT], data: Any, beside: tuple[str, ...] = ()) -> tuple[ModelT | None, list[Finding]]:
    try:
        # JSON mode: a list is a tuple and text a path there, while numbers stay strict.
        return model.model_validate_json(json.dumps(data)), []
    except ValidationError as error:
        return None, findings(error, model, data, beside)


def _plugin(group: Kind, data: Mapping[str, Any]) -> Plugin:
    name = data.get("kind")
    if not isinstance(name, str):
        known = ", ".join(registry.names(group)) or "(none is installed)"
        got = shown(name) if "kind" in data else None
        raise FindingsError([Finding(("kind",), f"must be given as one of {known}", got)])
    try:
        return registry.get(group, name)
    except UnknownNameError as error:
        known = ", ".join(error.known) or "(none is installed)"
        must = f"{group.removesuffix('s')} must be one of {known}"
        raise FindingsError([Finding(("kind",), must, shown(name), name_hint(name, error.known))]) from None
    except Exception as error:  # a plugin's module may fail in any way; the campaign file is not the place to crash
        raise FindingsError([Finding(("kind",), f"the plugin {name!r} must import cleanly", shown(error))]) from error


@dataclass(frozen=True)
class PartOf:
    """Marks a :class:`PartSpec` field with its group. ``runtime``: allow it; ``bare``: allow the name alone."""

    group: Kind
    runtime: bool = False
    bare: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Plug the reading and writing of parts into pydantic."""
        written = core_schema.plain_serializer_function_ser_schema(PartSpec.canonical)
        return core_schema.no_info_plain_validator_function(self._read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A mark that :mod:`dataeff_al.campaign.schema` replaces by the installed plugins' parameters."""
        return {JSON_SCHEMA_MARK: {"group": self.group, "runtime": self.runtime, "bare": self.bare}}

    def _read(self, value: Any) -> PartSpec:
        if isinstance(value, PartSpec):
            return self._of_group(value)
        data = {"kind": value} if self.bare and isinstance(value, str) else value
        return read_part(self.group, data, runtime=self.runtime)

    def _of_group(self, part: PartSpec) -> PartSpec:
        if part.group != self.group:
            raise FindingsError([Finding((), f"must be one of the {self.group}", f"one of the {part.group}")])
        return replace(part, runtime=(part.runtime or Runtime()) if self.runtime else None)
