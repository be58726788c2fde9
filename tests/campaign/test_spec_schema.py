import json

import jsonschema
import pytest
import yaml

from dataeff_al import registry
from dataeff_al.campaign import shipped
from dataeff_al.campaign.schema import json_schema
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.yaml_source import read
from dataeff_al.parts import JSON_SCHEMA_MARK


@pytest.fixture(scope="module")
def schema():
    made = json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def campaign(name):
    return read(shipped.path_of(name).read_text()).data


@pytest.mark.parametrize("name", shipped.names())
def test_shipped_campaigns_follow_the_schema(schema, name):
    assert [error.message for error in schema.iter_errors(campaign(name))] == []


def test_the_canonical_form_follows_the_schema(schema):
    text = shipped.path_of("digits").read_text()
    canonical = CampaignSpec.parse(text, shipped.folder()).canonical()
    assert [error.message for error in schema.iter_errors(canonical)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"pool": {"kind": "digitz"}},
        {"pool": {"kind": "digits", "sizes": 3}},
        {"pool": {"kind": "digits", "size": 0}},
        {"sampler": {"kind": "random", "runtime": {"replicas": 2}}},
        {"labeler": {"kind": "pipeline", "steps": [{"kind": "nothing"}]}},
        {"learner": {"kind": "mlp", "runtime": {"replicas": 0}}},
        {"version": 2},
        {"name": "Not A Slug"},
        {"prior": [{"kind": "unknown"}]},
        {"unknown": 1},
    ],
)
def test_what_the_spec_refuses_the_schema_refuses_too(schema, change):
    assert list(schema.iter_errors({**campaign("digits"), **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"initial": {"sampler": "typical", "n": 5}},
        {"initial": {"sampler": {"kind": "typical", "most_clusters": 9}, "n": 5}},
        {"labeler": {"kind": "pipeline", "steps": [{"kind": "dataset"}], "runtime": {"batch": 4}}},
        {"compare": [{"generator": None, "sampler": {"kind": "random"}}]},
        {"evaluation": {"validation": 3, "test": 4, "reference": 7}},
    ],
)
def test_what_the_spec_takes_the_schema_takes_too(schema, change):
    assert [error.message for error in schema.iter_errors({**campaign("digits"), **change})] == []


def test_every_installed_plugin_has_a_definition_and_no_mark_is_left(schema):
    text = json.dumps(schema.schema)
    assert JSON_SCHEMA_MARK not in text
    for kind in registry.KINDS:
        for name in registry.names(kind):
            assert f"{kind}.{name}" in schema.schema["$defs"]


def test_every_reference_leads_somewhere(schema):
    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in set(references(schema.schema)):
        assert reference.removeprefix("#/$defs/") in schema.schema["$defs"]


def test_shipped_campaigns_mean_the_same_to_any_yaml_reader():
    for name in shipped.names():
        assert yaml.safe_load(shipped.path_of(name).read_text()) == campaign(name)
