from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from dataeff_al import registry
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import SpecError
from dataeff_al.parts import PartSpec, Runtime
from dataeff_al.registry import Params, Plugin

TEXT = """\
version: 1
name: base
seed: 3
pool: {kind: digits}
evaluation: {validation: 10, test: 50}
initial: {sampler: typical, n: 20}
generator: {kind: pca, latent_dim: 4, runtime: {cpus: 2}}
learner: {kind: mlp, task: classification}
labeler:
  kind: escalate
  accept: 0.8
  steps:
    - {kind: external, target: {kind: class, classes: [a, b]}, cost: 1}
    - {kind: external, target: {kind: class, classes: [a, b]}, cost: 4, max_cost: 6}
  runtime: {replicas: 3, timeout_s: 60}
sampler: {kind: snn, steps: 4}
budget: {unit: EUR, total: 1000, per_round: 10}
stop: {metric: accuracy, target: 0.9, plateau: 3}
compare:
  - sampler: {kind: random}
  - {name: linear, generator: {kind: pca, latent_dim: 2}, learner: {kind: mlp, depth: 1}}
  - sampler: {kind: random}
    trainer: {kind: standard, steps: 5}
  - sampler: {kind: random}
    generator: null
    name: blind
  - sampler: {kind: random}
"""


class WildParams(Params):
    text: str = ""
    number: float = 0.0
    many: tuple[str, ...] = ()
    table: dict[str, int | None] = Field(default_factory=dict)
    flag: bool | None = True


@pytest.fixture(scope="module", autouse=True)
def wild_sampler():
    registry.register(Plugin(kind="samplers", name="wild", summary="", params=WildParams, build="nowhere:nothing"))


def parsed(text=TEXT, **options):
    return CampaignSpec.parse(text, Path(), **options)


def test_the_canonical_form_writes_defaults_out():
    canonical = parsed().canonical()
    assert canonical["trainer"]["steps"] == 300
    assert canonical["labeler"]["runtime"] == {"replicas": 3, "timeout_s": 60.0}
    assert canonical["learner"]["runtime"] == {"replicas": 1}
    typical = {"kind": "typical", "most_clusters": 500, "clusters": "latent", "neighbours": 10}
    assert canonical["initial"] == {"sampler": typical, "n": 20}
    assert canonical["evaluation"]["reference"] == 0
    assert canonical["round"] == {"close": "all"}
    assert canonical["repeats"] == 1
    assert canonical["compare"][3]["generator"] is None
    assert "learner" not in canonical["compare"][0]


def test_yaml_and_canonical_form_lead_back_to_the_same_digest():
    spec = parsed()
    assert parsed(spec.to_yaml()).digest == spec.digest
    assert CampaignSpec.from_canonical(spec.canonical()).digest == spec.digest
    assert parsed(spec.to_yaml()) == spec


def test_the_digest_tells_campaigns_apart_and_identity_forgets_only_runtime():
    spec = parsed()
    for change in ("seed=4", "sampler.steps=5", "budget.total=999", "labeler.steps[1].cost=5"):
        other = parsed(settings=[change])
        assert other.digest != spec.digest
        assert other.identity != spec.identity
    faster = parsed(settings=["labeler.runtime.replicas=8", "compare[1].learner.runtime={cpus: 2}"])
    assert faster.digest != spec.digest
    assert faster.identity == spec.identity


def test_writing_a_default_out_changes_no_digest():
    assert parsed(settings=["trainer={kind: standard, steps: 300}", "repeats=1"]).digest == parsed().digest


def test_twins_have_their_own_parts_names_and_no_twins():
    spec = parsed()
    assert spec.twin_names == ("random", "linear", "standard+random", "blind", "random-2")
    random, linear, both, blind, again = (spec.paradigm(i) for i in range(5))
    assert [twin.name for twin in (random, linear, blind)] == ["random", "linear", "blind"]
    assert both.name == "standard+random"
    assert again.name == "random-2"
    assert random.sampler.kind == "random"
    assert random.learner == spec.learner
    assert (linear.generator.params.latent_dim, linear.learner.params.depth) == (2, 1)
    assert both.trainer.params.steps == 5
    assert blind.generator is None
    assert all(twin.compare == () for twin in (random, linear, both, blind, again))


def test_a_twin_reads_back_like_any_campaign():
    twin = parsed().paradigm(3)
    assert CampaignSpec.from_canonical(twin.canonical()).digest == twin.digest


def test_parts_know_their_plugin_and_runtime():
    spec = parsed()
    assert spec.sampler.needs == {"latent", "decoder", "gradient"}
    assert spec.generator.offers == {"latent", "decoder"}
    assert spec.sampler.runtime is None
    assert spec.labeler.plugin.max_cost(spec.labeler.params) == 7
    assert [step.kind for step in spec.labeler.params.steps] == ["external", "external"]


def test_a_canonical_form_from_elsewhere_is_checked():
    broken = {**parsed().canonical(), "seed": "x"}
    with pytest.raises(SpecError, match="seed: must be a whole number"):
        CampaignSpec.from_canonical(broken)


def test_a_spec_can_be_made_in_python_from_parts():
    spec = parsed()
    sampler = PartSpec("samplers", "wild", WildParams(text="x"))
    made = CampaignSpec(**{**dict(spec), "sampler": sampler, "compare": ()})
    assert made.sampler == sampler
    assert made.learner.runtime == Runtime()
    with pytest.raises(ValueError, match="one of the samplers"):
        CampaignSpec(**{**dict(spec), "sampler": spec.learner})


texts = st.text(max_size=12) | st.sampled_from(["no", "012", "1e-3", "~", ".inf", "a: b", "#c", "- d", "é\u2028"])
wild = st.fixed_dictionaries(
    {"kind": st.just("wild")},
    optional={
        "text": texts,
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "many": st.lists(texts, max_size=3),
        "table": st.dictionaries(
            st.text(min_size=1, max_size=8), st.none() | st.integers(-(2**63), 2**63 - 1), max_size=3
        ),
        "flag": st.none() | st.booleans(),
    },
)
changes = st.fixed_dictionaries(
    {"sampler": wild},
    optional={
        "seed": st.integers(0, 2**63 - 1),
        "repeats": st.integers(1, 100),
        "evaluation": st.fixed_dictionaries(
            {"validation": st.integers(1, 30), "test": st.integers(1, 30)},
            optional={"reference": st.just("full") | st.integers(0, 50)},
        ),
        "initial": st.fixed_dictionaries({"random": st.integers(1, 30)}),
        "stop": st.fixed_dictionaries(
            {"metric": st.just("accuracy")},
            optional={"target": st.floats(-10, 10), "plateau": st.integers(1, 9), "least_gain": st.floats(1e-6, 1)},
        ),
        "compare": st.lists(st.fixed_dictionaries({"sampler": wild}, optional={"generator": st.none()}), max_size=3),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(changes)
def test_any_spec_survives_yaml_with_the_same_digest(change):
    spec = CampaignSpec.from_canonical({**parsed().canonical(), **change})
    assert CampaignSpec.parse(spec.to_yaml(), Path()).digest == spec.digest
