from pathlib import Path

import pytest

from dataeff_al.campaign.overrides import override, parse_path, parse_setting
from dataeff_al.campaign.yaml_source import read
from dataeff_al.errors import SpecError

TEXT = "a: {b: 1, c: [x, {d: 2}]}\ne: 012\n"


@pytest.mark.parametrize(
    ("setting", "data"),
    [
        ("a.b=2", {"a": {"b": 2, "c": ["x", {"d": 2}]}}),
        ("a.c[1].d=1e-3", {"a": {"b": 1, "c": ["x", {"d": 0.001}]}}),
        ("a.c[0]={f: no}", {"a": {"b": 1, "c": [{"f": "no"}, {"d": 2}]}}),
        ("a.new.deep=", {"a": {"b": 1, "c": ["x", {"d": 2}], "new": {"deep": None}}}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("a.b==", {"a": {"b": "=", "c": ["x", {"d": 2}]}}),
    ],
)
def test_a_setting_changes_one_value(setting, data):
    source = override(read(TEXT), [setting])
    assert {key: value for key, value in source.data.items() if key != "e"} == data


def test_the_source_itself_is_not_changed():
    source = read(TEXT)
    override(source, ["a.b=5", "a.c[1].d=6"])
    assert source.data["a"] == {"b": 1, "c": ["x", {"d": 2}]}


def test_later_settings_win_and_build_on_earlier_ones():
    source = override(read(TEXT), ["a.b={x: 1}", "a.b.y=2", "a.b.x=3"])
    assert source.data["a"]["b"] == {"x": 3, "y": 2}


def test_a_setting_takes_away_what_was_wrong_in_the_file():
    assert read(TEXT).findings
    assert not override(read(TEXT), ["e=12"]).findings


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("a.b", "form key.path=value"),
        ("=3", "key path must look like"),
        ("a..b=3", "key path must look like"),
        ("a[x]=3", "key path must look like"),
        ("[0]=3", "key path must look like"),
        ("a.c[2]=3", "must have an item [2], but got 2 items"),
        ("a[0]=3", "a must be a list"),
        ("a.b.c=3", "a.b must be a mapping"),
        ("a.b=[1", "valid YAML"),
        ("a.b=*x", "aliases"),
        ("a.b=007", "leading zeros"),
    ],
)
def test_a_setting_that_cannot_be_applied_is_refused_by_name(setting, words):
    with pytest.raises(SpecError) as caught:
        override(read(TEXT), ["a.b=2", setting])
    (problem,) = caught.value.problems
    assert problem.path == f"--set {setting!r}"
    assert words in problem.message


def test_every_bad_setting_is_reported():
    with pytest.raises(SpecError) as caught:
        override(read(TEXT), ["nothing", "a.c[9]=1"])
    assert len(caught.value.problems) == 2


def test_paths_and_values_are_parsed():
    assert parse_path("compare[0].sampler.kind") == ("compare", 0, "sampler", "kind")
    assert parse_setting("a.b = {c: 1:30}") == (("a", "b"), {"c": "1:30"})


def test_errors_in_set_values_name_set_and_others_keep_their_line():
    source = override(read(TEXT, str(Path("x.yaml"))), ["a.b=2"])
    assert override(source, ["a.c=3"]).overridden == {("a", "b"), ("a", "c")}
