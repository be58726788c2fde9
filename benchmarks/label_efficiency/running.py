"""A group's campaign as its users would run it, and the learning curves that it leaves."""

import json
import shutil
import subprocess
from pathlib import Path

import yaml

from benchmarks.campaign_run import ENDED_WELL, TOOL
from benchmarks.harness import Json
from benchmarks.label_efficiency.study import Group, Study

HERE = Path(__file__).parent.parent
CAMPAIGN = "campaign.yaml"


def measured(study: Study, group: Group, seed: int, *, quick: bool) -> Json:
    """Run the group's campaign in one process, or go on with one that was interrupted; its curves by method.

    The folder stays until the campaign has ended. Raises RuntimeError when it does not end well.
    """
    place = HERE / "cells" / "running" / f"{study.name}{'-quick' if quick else ''}-{group.name}-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    (place / CAMPAIGN).write_text(as_yaml(study.campaign(group, seed, quick=quick)), encoding="utf-8")
    out = place / "run"
    plugins = [part for name in (*study.plugins, *group.plugins) for part in ("--plugin", str(HERE / name))]
    command = [str(TOOL), "run", str(place / CAMPAIGN), "--inline", "--no-report", "--out", str(out), *plugins]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in ENDED_WELL:
        raise RuntimeError(f"the campaign must end well, but got {done.returncode}: {done.stderr[-2000:]}")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    # What was measured for an hour is not lost to somebody who looks into the folder as it goes.
    shutil.rmtree(place, ignore_errors=True)
    return _found(summary)


def as_yaml(campaign: Json) -> str:
    """A campaign file; what several methods share is written out for each, since campaign files have no anchors."""
    return yaml.safe_dump(json.loads(json.dumps(campaign)))


def _found(summary: Json) -> Json:
    families = {summary["name"]: summary, **{twin["name"]: twin for twin in summary["twins"]}}
    reference = (summary.get("reference") or {}).get("test")
    return {
        "seed": summary["seed"],
        "curves": {name: _curve(family) for name, family in families.items()},
        "seconds": {name: _seconds(family) for name, family in families.items()},
        "generator_s": (summary["generator"] or {}).get("seconds", 0.0),
        "reference": reference,
        "digest": summary["digest"],
    }


def _curve(family: Json) -> Json:
    rows = [row for row in family["rounds"] if row["test"]]
    metrics = sorted({name for row in rows for name in row["test"]})
    return {
        "labels": [row["labels"] for row in rows],
        "test": {name: [row["test"].get(name) for row in rows] for name in metrics},
        "regimes": [row.get("regime", "") for row in rows],
    }


def _seconds(family: Json) -> Json:
    phases = sorted({name for row in family["rounds"] for name in row["seconds"]})
    return {name: round(sum(row["seconds"].get(name, 0.0) for row in family["rounds"]), 1) for name in phases}
