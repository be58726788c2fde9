from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.yaml_source import MAX_BYTES, read
from dataeff_al.campaign.yaml_text import write
from dataeff_al.errors import SpecError


def refusal(text):
    with pytest.raises(SpecError) as caught:
        read(text)
    return caught.value.problems[0]


def test_every_key_and_item_has_its_line():
    source = read("a: 1\nb:\n  c:\n    - x\n    - d: 2\n")
    assert source.data == {"a": 1, "b": {"c": ["x", {"d": 2}]}}
    assert source.line(("b", "c")) == 3
    assert source.line(("b", "c", 0)) == 4
    assert source.line(("b", "c", 1, "d")) == 5


def test_the_line_of_an_unknown_place_is_that_of_what_holds_it():
    assert read("a: 1\nb:\n  c: 2\n").line(("b", "missing", "deeper")) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-02", "2024-01-02"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'012'", "012"),
        ('"1"', "1"),
        ("=", "="),
    ],
)
def test_scalars_mean_what_they_look_like(text, value):
    read_value = read(f"a: {text}\n").data["a"]
    assert read_value == value
    assert type(read_value) is type(value)


@pytest.mark.parametrize("text", ["012", "-007", "0x1F", "0o17", "0b1", ".nan", ".inf", "-.Inf", "1e999", "9" * 30])
def test_numbers_that_readers_disagree_about_or_that_are_not_finite_are_found_with_their_line(text):
    source = read(f"b: 1\na: {text}\n")
    (finding,) = source.findings
    problem = source.problem(finding)
    assert (problem.path, problem.line) == ("a", 2)
    assert text in problem.message


def test_a_duplicate_key_is_found_and_the_first_value_kept():
    source = read("a:\n  b: 1\n  b: 2\n")
    assert source.data == {"a": {"b": 1}}
    assert source.problem(source.findings[0]).path == "a.b"
    assert "line 3" in source.findings[0].message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: &x 1\n", 2, "anchors"),
        ("a: 1\nb: *x\n", 2, "aliases"),
        ("a: !!python/object:os.system x\n", 1, "tags"),
        ("a: 1\nb: !thing {}\n", 2, "tags"),
        ("a: !!str 1\n", 1, "tags"),
        ("%YAML 1.1\n---\na: 1\n", 1, "directives"),
        ("a: 1\n---\nb: 2\n", 2, "one YAML document"),
        ("a: [1, 2\nb: 3\n", 2, "valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "valid YAML"),
        ("? [a]\n: 1\n", 1, "key"),
        ("? " + "k" * 200 + "\n: 1\n", 1, "key"),
        ("a: 'x\x00y'\n", 0, "valid YAML"),
    ],
)
def test_foreign_or_broken_yaml_is_refused_with_its_line(text, line, words):
    problem = refusal(text)
    assert words in problem.message
    assert problem.line == line


def bomb():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(levels)


HOSTILE = {
    "alias bomb": bomb(),
    "deep flow": "a: " + "[" * 100_000,
    "deep mappings": "".join(f"{' ' * n}a:\n" for n in range(700)),
    "ten megabytes": "a: " + "x" * 10_000_000,
    "ten megabytes of keys": "\n".join(f"k{n}: 1" for n in range(800_000)),
    "many equal keys": "\n".join(["a: 1"] * 40_000),
    "huge number": "a: " + "9" * 200_000,
    "huge exponent": "a: 1e999999999",
    "unclosed quote": "a: '" + "x\n" * 100_000,
    "long key": "x" * 200_000 + ": 1",
    "surrogate": "a: \ud800",
    "one disputed number each": "a: [" + "012, " * 50_000 + "]",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_in_few_words(name):
    with pytest.raises(SpecError) as caught:
        CampaignSpec.parse(HOSTILE[name], Path())
    assert 1 <= len(caught.value.problems) <= 120
    assert len(str(caught.value)) < 20_000


def test_text_of_the_largest_size_is_read_and_one_byte_more_is_not():
    largest = "a: " + "x" * (MAX_BYTES - 3)
    assert len(read(largest).data["a"]) == MAX_BYTES - 3
    assert "256 KB" in refusal(largest + "x").message


def test_twenty_levels_are_read_and_twenty_one_are_not():
    assert read("[" * 20 + "1" + "]" * 20)
    assert "20 levels" in refusal("[" * 21 + "1" + "]" * 21).message


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["no", "yes", "012", "1e-3", "1:30", "0x1F", "~", "null", ".nan", "2024-01-02", "<<", "=", "1_0"])
)
keys = st.text(max_size=20, min_size=1)
documents = st.dictionaries(
    keys, st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
)


@given(documents)
def test_what_is_written_is_read_back_unchanged(data):
    source = read(write(data))
    assert source.data == data
    assert source.findings == ()
