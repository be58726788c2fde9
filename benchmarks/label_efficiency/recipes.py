"""Parts that the studies share: the targets of a plain user, the published walk, a spread choice, rounds that grow."""

from collections.abc import Mapping
from typing import Any

from benchmarks.label_efficiency.study import Arm, Group

PLAIN = {"kind": "standard", "steps": 1000, "batch_size": 64, "learning_rate": 0.003}
BOOSTED = {**PLAIN, "reweight": "error", "ensemble": "rounds", "ensemble_size": 3}
KEPT_ENCODER = "label_efficiency/kept_encoder.py"
DIVERSE = {"kind": "margin", "diversity": 10}
PUBLISHED_WALK = {
    "kind": "snn",
    "input": "decoded",
    "step_rule": "gradient",
    "step_size": 0.1,
    "trust_radius": 100.0,
    "density_penalty": 0.0,
}


def rounds(total: int, first: int, growth: float) -> Mapping[str, Any]:
    """A budget of ``total`` labels: a round of ``first``, each further one of ``growth`` times what there is."""
    return {"unit": "label", "total": total, "per_round": first, "growth": growth}


def sampling(name: str, **params: Any) -> Arm:
    """A method that differs from its group by its sampler; the sampler's name goes up to the first hyphen."""
    return Arm(name, {"sampler": {"kind": name.split("-")[0], **params}})


def typical_start(n: int, **params: Any) -> Mapping[str, Any]:
    """First labels for the samples that stand for most others."""
    return {"sampler": {"kind": "typical", **params}, "n": n}


def warm_targets(start: Mapping[str, Any], augmented: Mapping[str, Any], budget: Mapping[str, Any]) -> Group:
    """The augmented target on random labels, going on with the model of the round before."""
    parts = {"initial": start, "trainer": {**augmented, "warm_start": True}, "sampler": {"kind": "random"}}
    return Group("warm-targets", {**parts, "budget": budget}, [Arm("augmented")])
