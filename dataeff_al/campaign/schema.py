"""JSON Schema of a campaign file for editors: every section, and the parameters of every installed plugin."""

from collections.abc import Mapping
from typing import Any

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.installed import installed
from dataeff_al.parts import JSON_SCHEMA_MARK, Runtime
from dataeff_al.registry import KINDS, Kind, Plugin

Json = dict[str, Any]
_RUN = "+runtime"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> Json:
    """The schema, with one definition for each plugin; a plugin that cannot be loaded is left out."""
    schema = CampaignSpec.model_json_schema()
    definitions: Json = schema.setdefault("$defs", {})
    definitions["Runtime"] = Runtime.model_json_schema()
    for kind in KINDS:
        for entry in installed(kind):
            if entry.plugin is not None:
                definitions |= _plugin_definitions(entry.plugin)
    replaced: Json = _replace_marks(schema)
    return {"$schema": DIALECT, "$id": "urn:dataeff-al:campaign:1", **replaced, "title": "dataeff-al campaign"}


def _definition(kind: Kind, name: str) -> str:
    return f"{kind}.{name}"


def _plugin_definitions(plugin: Plugin) -> Json:
    """The plugin's own definition and those that its parameters refer to, under names that no other plugin has."""
    prefix = _definition(plugin.kind, plugin.name)
    params = plugin.params.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    inner = {f"{prefix}.{name}": schema for name, schema in params.pop("$defs", {}).items()}
    schema: Json = {
        "type": "object",
        "title": plugin.name,
        "description": plugin.summary,
        "properties": {"kind": {"const": plugin.name}, **params.get("properties", {})},
        "required": ["kind", *params.get("required", [])],
        "additionalProperties": False,
    }
    with_runtime = {**schema, "properties": {**schema["properties"], "runtime": {"$ref": "#/$defs/Runtime"}}}
    return {prefix: schema, f"{prefix}{_RUN}": with_runtime, **inner}


def _replace_marks(value: Any) -> Any:
    if isinstance(value, list):
        return [_replace_marks(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if JSON_SCHEMA_MARK in value:
        beside = {key: inner for key, inner in value.items() if key != JSON_SCHEMA_MARK}
        return {**beside, **_one_of(**value[JSON_SCHEMA_MARK])}
    return {key: _replace_marks(inner) for key, inner in value.items()}


def _one_of(group: Kind, runtime: bool, bare: bool) -> Json:
    """Any installed plugin of the group, told apart by ``kind``."""
    entries = [entry for entry in installed(group) if entry.plugin is not None]
    ending = _RUN if runtime else ""
    choices: list[Json] = [{"$ref": f"#/$defs/{_definition(group, entry.name)}{ending}"} for entry in entries]
    if bare:
        choices.append({"enum": [entry.name for entry in entries]})
    return {"oneOf": choices} if choices else {"not": {}}
