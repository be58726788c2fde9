import math
from pathlib import Path

import pytest
import yaml

from benchmarks import cifar10, mnist, vessel
from benchmarks.label_efficiency.drawing import draw
from benchmarks.label_efficiency.figures import findings, median_needed, needed_table
from benchmarks.label_efficiency.grid import Comparison, Question, benchmark_of
from benchmarks.label_efficiency.running import as_yaml
from benchmarks.label_efficiency.study import Arm, Group, Metric, Study
from dataeff_al import registry
from dataeff_al.campaign.spec import CampaignSpec

STUDIES = {"mnist": mnist, "cifar10": cifar10, "vessel": vessel}
GROUPS = [(name, group) for name, module in STUDIES.items() for group in module.STUDY.groups]


def cell(seed, **curves):
    """A measured cell, whose methods reach an accuracy of .97 at the given numbers of labels."""
    rows = {name: {"labels": [10, at, 10 * at], "test": {"accuracy": [0.5, 0.97, 0.98]}} for name, at in curves.items()}
    return {"seed": seed, "curves": rows, "reference": {"accuracy": 0.99}}


def toy():
    groups = [Group("mine", {}, [Arm("good"), Arm("bad", {"sampler": {"kind": "random"}})])]
    return Study("toy", {}, groups, quick={})


@pytest.mark.parametrize(("study", "group"), GROUPS, ids=[f"{name}-{group.name}" for name, group in GROUPS])
def test_every_group_is_a_campaign_of_methods_with_names_of_their_own(study, group):
    if group.plugins:
        pytest.importorskip("skactiveml")
        for name in group.plugins:
            registry.load_file(Path(cifar10.__file__).parent / name)
    text = as_yaml(STUDIES[study].STUDY.campaign(group, 3, quick=False))
    assert not any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(text))
    spec = CampaignSpec.from_canonical(yaml.safe_load(text))
    assert spec.seed == 3
    assert spec.stop.target is None
    assert (spec.name, *spec.twin_names) == tuple(arm.name for arm in group.arms)


def test_a_hurried_campaign_trains_a_few_steps_wherever_steps_are_stated():
    for study, group in GROUPS:
        found = STUDIES[study].STUDY.campaign(group, 0, quick=True)
        parts = [found, *found.get("compare", [])]
        stated = [
            part[name]["steps"] for part in parts for name in ("trainer", "generator") if "steps" in part.get(name, {})
        ]
        assert stated
        assert max(stated) <= 30


def test_figures_say_how_many_labels_and_how_many_times_fewer():
    cells = {"mine-0": cell(0, good=20, bad=80), "mine-1": cell(1, good=40, bad=80)}
    found = findings(cells, dict.fromkeys(cells, "mine"), Metric("accuracy"))
    assert median_needed(found, ("mine", "good"), 0.97) == pytest.approx(30)
    assert median_needed(found, ("mine", "good"), 0.99) is None
    assert median_needed(found, ("mine", "absent"), 0.97) is None
    saved = found.saved(("mine", "good"), ("mine", "bad"), 0.97)
    assert saved.factor == pytest.approx(math.sqrt(4 * 2))
    rows = {row[1]: row for row in needed_table(found, [0.97]).rows}
    assert rows["good"][3] == "30 (2/2)"


def test_the_best_other_is_the_one_against_which_least_is_saved():
    compared = Comparison("factor", ("mine", "good"), [("mine", "bad"), ("mine", "fair"), ("mine", "absent")], 0.97, "")
    asked = Question("needed", ("mine", "good"), 0.97)
    benchmark = benchmark_of(toy(), Metric("accuracy"), (0.97,), [asked], [compared], {"all": ["mine/good"]})
    result = benchmark.assemble({"mine-0": cell(0, good=20, bad=80, fair=30)})
    assert result.figures == {"needed": pytest.approx(20), "factor": pytest.approx(1.5)}
    assert benchmark.assemble({}).figures == {"needed": None, "factor": None}
    assert "0.9900" in result.notes[0]


def test_an_other_that_is_known_under_fewer_seeds_is_not_the_one_that_counts():
    compared = Comparison("factor", ("mine", "good"), [("mine", "bad"), ("mine", "fair")], 0.97, "")
    benchmark = benchmark_of(toy(), Metric("accuracy"), (0.97,), [], [compared], {"all": ["mine/good"]})
    cells = {"mine-0": cell(0, good=20, bad=80, fair=30), "mine-1": cell(1, good=20, bad=80)}
    assert benchmark.assemble(cells).figures == {"factor": pytest.approx(4)}


def test_curves_are_drawn(tmp_path):
    benchmark = benchmark_of(
        toy(), Metric("accuracy"), (0.9,), [], [], {"all": ["mine/good", "mine/bad"], "none": ["x/y"]}
    )
    result = benchmark.assemble({"mine-0": cell(0, good=20, bad=80), "mine-1": cell(1, good=20, bad=80)})
    draw(result.curves, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_paired_panel_shows_the_seeds_that_all_its_methods_have(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "benchmarks.label_efficiency.drawing._panel", lambda _, title, methods, __: shown.append(methods)
    )
    points = [[10, 20], [0.9, 0.95]]
    series = {"a": {"0": points, "1": points}, "b": {"0": points}, "c": {"1": points}}
    curves = {"panels": {"ablations": ["a", "b"], "all": ["a", "b"]}, "paired": ["ablations"], "series": series}
    draw(curves, tmp_path / "curves.png")
    assert [set(methods["a"]) for methods in shown] == [{"0"}, {"0", "1"}]


def test_a_group_begins_with_its_own_parts():
    with pytest.raises(ValueError, match="first method"):
        Group("x", {}, [Arm("a", {"sampler": {"kind": "random"}})])
