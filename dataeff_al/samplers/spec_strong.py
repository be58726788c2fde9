"""Light descriptions of the strong samplers: what a new query strategy has to be measured against."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.parts import PartOf, PartSpec
from dataeff_al.registry import Params, Plugin
from dataeff_al.samplers.spec import WalkParams, cheap_seconds, walk_seconds

Space = Literal["latent", "features"]
Measure = Literal["margin", "entropy", "committee"]
Stage = Annotated[PartSpec, PartOf("samplers")]


class CoreSetParams(Params):
    """Parameters of ``core_set``.

    ``space``: the generator's latents, or the current model's features. ``density``: as in ``margin``; without it the
    farthest samples are junk first where the pool holds some.
    """

    space: Space = "features"
    density: Annotated[float, Field(ge=0, le=100)] = 0.0


class BadgeParams(Params):
    """``badge`` has no parameters."""


class LcmdParams(Params):
    """Parameters of ``lcmd``.

    ``space``: the generator's latents, or the current model's features. ``stretch: committee`` multiplies places by
    the root of the committee's disagreement; ``relative`` is the part that disagreement in units of the sample's own
    size has in it.
    """

    space: Space = "features"
    stretch: Literal["none", "committee"] = "none"
    relative: Annotated[float, Field(ge=0, le=1)] = 0.5


class CommitteeParams(Params):
    """Parameters of ``committee``: an ensemble's models, or one model under the symmetries of the campaign's prior.

    ``relative``: as in ``lcmd``. ``diversity``: as in ``margin``.
    """

    relative: Annotated[float, Field(ge=0, le=1)] = 0.5
    diversity: Annotated[int, Field(ge=1, le=100)] = 1


class StochasticParams(Params):
    """Parameters of ``stochastic``: draws by uncertainty to the power of ``sharpness`` (0: at random).

    ``density``: as in ``margin``.
    """

    measure: Measure = "margin"
    sharpness: Annotated[float, Field(ge=0, le=100)] = 1.0
    density: Annotated[float, Field(ge=0, le=100)] = 0.0
    relative: Annotated[float, Field(ge=0, le=1)] = 0.5


class LatentWalkParams(WalkParams):
    """Parameters of ``latent_walk``: those of a walk, from any pool latent.

    ``climb``: the entropy of the model's answer, or the disagreement of an ensemble. ``spread``: walks start from the
    most undecided pool samples, this many times ``walkers`` of them thinned out by distance.
    """

    start: Literal["uncertain"] = "uncertain"
    climb: Literal["entropy", "committee"] = "entropy"
    spread: Annotated[int, Field(ge=1, le=100)] = 4


class StagedParams(Params):
    """Parameters of ``staged``: ``first`` until that many labels are in the training set, ``then`` afterwards."""

    first: Stage
    then: Stage
    labels: Annotated[int, Field(ge=1, le=100_000_000)]


def space_needs(params: Any) -> frozenset[str]:
    """The space of comparison."""
    return frozenset({params.space})


def core_set_needs(params: Any) -> frozenset[str]:
    """The space of comparison, and latents for density."""
    return space_needs(params) | _for_density(params)


def _for_density(params: Any) -> frozenset[str]:
    return frozenset({"latent"} if params.density > 0 else ())


def badge_needs(_: Any) -> frozenset[str]:
    """Gradients of the last layer follow from probabilities and features."""
    return frozenset({"probabilities", "features"})


def lcmd_needs(params: Any) -> frozenset[str]:
    """The space of comparison, and a committee to stretch it."""
    return space_needs(params) | ({"committee"} if params.stretch == "committee" else frozenset())


def committee_needs(params: Any) -> frozenset[str]:
    """Several answers to one question, and latents for diversity."""
    return frozenset({"committee"} | ({"latent"} if params.diversity > 1 else set()))


def stochastic_needs(params: Any) -> frozenset[str]:
    """What the measure needs, and latents for density."""
    return frozenset({"committee" if params.measure == "committee" else "probabilities"}) | _for_density(params)


def latent_walk_needs(params: Any) -> frozenset[str]:
    """The decoder and the gradient through it, and what is climbed."""
    climbed = "committee" if params.climb == "committee" else "probabilities"
    return frozenset({"latent", "decoder", "gradient", climbed})


def staged_needs(params: Any) -> frozenset[str]:
    """What both stages need."""
    return frozenset(params.first.needs | params.then.needs)


def staged_seconds(params: Any) -> float:
    """Seconds of the dearer stage."""
    return max(params.first.seconds or 0.0, params.then.seconds or 0.0)


def _plugin(name: str, summary: str, params: type[Params], module: str, **more: Any) -> Plugin:
    build = f"dataeff_al.samplers.{module}:build"
    return Plugin(kind="samplers", name=name, summary=summary, params=params, build=build, **more)


CORE_SET = _plugin(
    "core_set",
    "The sample farthest from everything chosen so far, again and again (Sener and Savarese, 2018).",
    CoreSetParams,
    "core_set",
    needs=core_set_needs,
    seconds=cheap_seconds,
)

BADGE = _plugin(
    "badge",
    "Diverse gradients of the last layer for the model's own answer (Ash et al., 2020).",
    BadgeParams,
    "badge",
    needs=badge_needs,
    seconds=cheap_seconds,
)

LCMD = _plugin(
    "lcmd",
    "The farthest sample of the largest cluster (Holzmueller et al., 2023), optionally stretched by disagreement.",
    LcmdParams,
    "lcmd",
    needs=lcmd_needs,
    seconds=cheap_seconds,
)

COMMITTEE = _plugin(
    "committee",
    "Where an ensemble, or one model under exact symmetries, disagrees most with itself.",
    CommitteeParams,
    "committee",
    needs=committee_needs,
    seconds=cheap_seconds,
)

STOCHASTIC = _plugin(
    "stochastic",
    "Draws with probability by uncertainty: a batch without clustering (Kirsch et al., 2023).",
    StochasticParams,
    "stochastic",
    needs=stochastic_needs,
    seconds=cheap_seconds,
)

LATENT_WALK = _plugin(
    "latent_walk",
    "Walks from undecided pool latents up the model's own indecision and takes the nearest samples.",
    LatentWalkParams,
    "latent_walk",
    needs=latent_walk_needs,
    seconds=walk_seconds,
)

STAGED = _plugin(
    "staged",
    "One sampler until there are enough labels, another afterwards: typical first, hard later.",
    StagedParams,
    "staged",
    needs=staged_needs,
    seconds=staged_seconds,
)
