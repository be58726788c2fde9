"""The generated twins of the campaigns on scans, made small: from YAML to the report."""

import json

from dataeff_al.campaign import shipped
from services.cli.main import run

SMALL = ("pool.cases=7", "pool.shape=[20, 20, 16]", "evaluation.validation=1", "evaluation.test=2", "compare=[]")
TRANSFER = (*SMALL, "trainer.steps=6", "trainer.partial_steps=4", "learner.channels=[4, 6]")
BLOCKWISE = (*SMALL, "trainer.steps=4", "initial.random=2", "budget.per_round=1")


def started(name, out, settings):
    sets = [part for each in settings for part in ("--set", each)]
    code = run(["run", str(shipped.path_of(name)), "--inline", "--out", str(out), *sets])
    return code, json.loads((out / "summary.json").read_text())


def test_few_full_and_many_partial_annotations_go_from_yaml_to_the_report(tmp_path, capsys):
    code, summary = started("brain_transfer_generated", tmp_path / "run", TRANSFER)
    assert code == 0, capsys.readouterr().err
    assert summary["labels"]["total"] == 2
    assert {"dice", "dice/deep", "dice/outer", "dice/Left Caudate"} <= set(summary["rounds"][-1]["test"])
    assert {"stages.png", "structures.png"} <= {path.name for path in (tmp_path / "run/figures").iterdir()}
    page = (tmp_path / "run/report.html").read_text()
    assert "stage one: 4 steps on 4 samples of deep" in page


def test_tumours_are_found_coarse_to_fine_and_a_label_may_cost_what_its_slices_do(tmp_path, capsys):
    out = tmp_path / "run"
    settings = (*BLOCKWISE, "labeler.cost=24", "budget.total=72", "budget.unit=slice")
    code, summary = started("tumour_blockwise_generated", out, settings)
    assert code == 0, capsys.readouterr().err
    assert summary["cost"]["spent"] == 72
    assert summary["labels"]["total"] == 3
    assert {"dice/WT", "dice/CT", "sensitivity/ET"} <= set(summary["rounds"][-1]["test"])
    assert (out / "figures/stages.png").exists()


def test_a_network_that_does_not_fit_the_scans_is_refused_before_anything_is_bought(tmp_path, capsys):
    settings = (*BLOCKWISE, "learner.patch=[64, 64, 64]", "learner.dims=3", "budget.total=3")
    sets = [part for each in settings for part in ("--set", each)]
    path = str(shipped.path_of("tumour_blockwise_generated"))
    assert run(["run", path, "--inline", "--out", str(tmp_path / "run"), *sets]) not in (0, 3)
    assert "a patch must fit the sample (16, 20, 20)" in capsys.readouterr().err
