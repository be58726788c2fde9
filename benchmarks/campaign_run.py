"""The vessel campaign with its twin as a whole process, and where its time went."""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Json
from benchmarks.process import timed

CAMPAIGN = Path(__file__).parent.parent / "campaigns" / "vessel_stress.yaml"
TOOL = Path(sys.executable).parent / "dataeff-al"
QUICK = tuple(
    f"--set={setting}" for setting in ("budget.total=40", "pool.size=400", "generator.steps=50", "trainer.steps=50")
)
ENDED_WELL = (0, 3)
PHASES = ("propose", "label", "train", "evaluate")


def measured(*options: str, quick: bool) -> Json:
    """Run it with these options; raises RuntimeError when it does not end well."""
    with tempfile.TemporaryDirectory() as folder:
        done = timed([TOOL, "run", CAMPAIGN, "--out", folder, *options, *(QUICK if quick else ())])
        if done.code not in ENDED_WELL:
            raise RuntimeError(f"the campaign must end well, but got exit code {done.code}: {done.output[-2000:]}")
        summary = json.loads((Path(folder) / "summary.json").read_text(encoding="utf-8"))
    families = [summary["rounds"], *(twin["rounds"] for twin in summary["twins"])]
    return {
        "seconds": done.seconds,
        "peak_pss_gib": done.peak_pss_gib,
        "peak_rss_sum_gib": done.peak_rss_sum_gib,
        "generator_s": (summary["generator"] or {}).get("seconds", 0.0),
        "campaigns": [
            {name: sum(row["seconds"].get(name, 0.0) for row in rows) for name in PHASES} for rows in families
        ],
        "digest": summary["digest"],
    }


def bought_s(campaign: Json) -> float:
    """Seconds of labelling, training and evaluating of one campaign."""
    return float(campaign["label"] + campaign["train"] + campaign["evaluate"])
