"""Light descriptions of the built-in samplers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.registry import Params, Plugin

Start = Literal["labelled", "uncertain"]


class RandomParams(Params):
    """``random`` has no parameters."""


class TypicalParams(Params):
    """Parameters of ``typical``. ``most_clusters`` bounds the clustering's cost.

    ``clusters: graph``: those of the graph of the ``neighbours`` nearest in latent space, along which the trainer
    ``semi_supervised`` spreads labels, whatever their form; ``latent``: balls in latent space.
    """

    most_clusters: Annotated[int, Field(ge=1, le=10_000)] = 500
    clusters: Literal["latent", "graph"] = "latent"
    neighbours: Annotated[int, Field(ge=1, le=1000)] = 10


class MarginParams(Params):
    """Parameters of ``margin`` and ``entropy``.

    ``diversity``: cluster this many times ``n`` of the least decided in latent space and take the least decided of
    each cluster; 1 takes them as they are and needs no latent space. ``density``: scores count times how dense the
    pool is around the sample, to this power, so that junk in the pool is not what is asked for; 0 leaves them alone.
    """

    diversity: Annotated[int, Field(ge=1, le=100)] = 1
    density: Annotated[float, Field(ge=0, le=100)] = 0.0


class WalkParams(Params):
    """Parameters of a walk in latent space.

    Lengths are parts of the latent scale (root mean square distance of the pool from its mean). ``start``: walk from
    labelled samples with their labels, as published, or from the most uncertain pool samples with the model's own
    answer. ``steps: 0`` is the control without ascent. ``step_rule: unit`` goes that length up the gradient's
    direction, ``gradient`` goes ``step_size`` times the loss's gradient, as published; neither leaves the trust radius.
    ``density_penalty`` pulls back to where the pool is dense. ``walkers`` bounds the walks of one attempt; ``input``:
    the network sees the original sample plus the decoded change along the walk, or the decoded latent itself.
    ``precision`` of the multiplications: by default bfloat16 where the processor is fast at it.
    """

    start: Start = "labelled"
    steps: Annotated[int, Field(ge=0, le=1000)] = 10
    step_size: Annotated[float, Field(gt=0, le=10)] = 0.06
    step_rule: Literal["unit", "gradient"] = "unit"
    trust_radius: Annotated[float, Field(gt=0, le=100)] = 0.5
    density_penalty: Annotated[float, Field(ge=0, le=1000)] = 0.3
    neighbours: Annotated[int, Field(ge=1, le=100)] = 5
    walkers: Annotated[int, Field(ge=1, le=10_000)] = 64
    input: Literal["original", "decoded"] = "original"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class SnnParams(WalkParams):
    """Parameters of ``snn``: those of a walk."""


class SiParams(WalkParams):
    """Parameters of ``si``: those of a walk; ``attempts``: how often walks start again to replace refused samples."""

    input: Literal["original", "decoded"] = "decoded"
    attempts: Annotated[int, Field(ge=1, le=100)] = 6


def margin_needs(params: Any) -> frozenset[str]:
    """Probabilities, and latents for diversity and density."""
    return frozenset({"probabilities"} | ({"latent"} if params.diversity > 1 or params.density > 0 else set()))


def typical_needs(_: Any) -> frozenset[str]:
    """A latent space."""
    return frozenset({"latent"})


def snn_needs(params: Any) -> frozenset[str]:
    """The decoder and the gradient through it; probabilities to start from uncertain samples."""
    uncertain = {"probabilities"} if params.start == "uncertain" else set()
    return frozenset({"latent", "decoder", "gradient"} | uncertain)


def si_needs(params: Any) -> frozenset[str]:
    """As ``snn``, and a labeler that accepts synthesised samples."""
    return snn_needs(params) | {"synthesised"}


def cheap_seconds(_: Any) -> float:
    """Seconds of a round without a walk."""
    return 0.5


def walk_seconds(params: Any) -> float:
    """Seconds of a round of twenty walks through a U-Net on 64 x 64 masks."""
    return 0.5 + 0.12 * params.steps


RANDOM = Plugin(
    kind="samplers",
    name="random",
    summary="Uniformly random unlabelled samples: the reference that every other sampler must beat.",
    params=RandomParams,
    build="dataeff_al.samplers.random:build",
    seconds=cheap_seconds,
)

TYPICAL = Plugin(
    kind="samplers",
    name="typical",
    summary="Space-filling: the samples nearest to the centres of latent clusters that hold no label yet.",
    params=TypicalParams,
    build="dataeff_al.samplers.typical:build",
    needs=typical_needs,
    seconds=cheap_seconds,
)

MARGIN = Plugin(
    kind="samplers",
    name="margin",
    summary="Smallest difference between the two most probable classes, optionally spread over latent clusters.",
    params=MarginParams,
    build="dataeff_al.samplers.margin:build",
    needs=margin_needs,
    seconds=cheap_seconds,
)

ENTROPY = Plugin(
    kind="samplers",
    name="entropy",
    summary="Largest entropy of the predicted probabilities, optionally spread over latent clusters.",
    params=MarginParams,
    build="dataeff_al.samplers.margin:build_entropy",
    needs=margin_needs,
    seconds=cheap_seconds,
)

SNN = Plugin(
    kind="samplers",
    name="snn",
    summary="Walks up the loss in latent space and takes the nearest unlabelled sample (Mo et al., 2020).",
    params=SnnParams,
    build="dataeff_al.samplers.snn:build",
    needs=snn_needs,
    seconds=walk_seconds,
)

SI = Plugin(
    kind="samplers",
    name="si",
    summary="Walks up the loss in latent space and synthesises the sample found there (Mo et al., 2020).",
    params=SiParams,
    build="dataeff_al.samplers.si:build",
    needs=si_needs,
    seconds=walk_seconds,
)
