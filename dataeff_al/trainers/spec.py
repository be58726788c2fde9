"""Light descriptions of the built-in trainers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.learners.distortion_spec import DistortionParams
from dataeff_al.registry import Params, Plugin


class StandardParams(Params):
    """Parameters of ``standard``: AdamW, one learning-rate cycle, the same number of steps for everyone.

    ``warm_start``: start from the previous round's weights. ``reweight: error`` weights each sample by the previous
    model's loss on it; ``ensemble: rounds`` averages the models of the last ``ensemble_size`` rounds (both are the
    boosting of Mo et al., 2020). ``ensemble: members`` trains ``ensemble_size`` models on the same labels, each from a
    seed of its own (Lakshminarayanan et al., 2017), and averages them; warm start and re-weighting go by each member's
    own predecessor. ``augment`` changes images of a class: ``shift`` moves them by up to two pixels, ``distort`` turns,
    shears, scales, moves and bends them a little, ``photograph`` mirrors them and changes colours as well.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    warm_start: bool = False
    reweight: Literal["none", "error"] = "none"
    ensemble: Literal["none", "rounds", "members"] = "none"
    ensemble_size: Annotated[int, Field(ge=2, le=100)] = 5
    augment: Literal["none", "shift", "distort", "photograph"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class SemiSupervisedParams(DistortionParams):
    """Parameters of ``semi_supervised``, and how far images are changed.

    Labels spread over the ``neighbours`` nearest in latent space, edges weighing by their cosine to the power of
    ``sharpness``; ``alpha`` says how far. ``blend``: the previous model's part in what the pool's samples are taken
    for. ``steps`` on labels and spread labels, then ``consistency_steps`` on what an average of the model
    (``teacher_decay``) answers with at least ``threshold`` probability, its answers being scaled towards the classes'
    shares among the spread labels to the power of ``alignment`` (0: not at all). A batch holds ``batch_size`` labelled
    and three times as many pool samples, which weigh ``pool_weight``. ``warm_start``: start from the previous round's
    weights, unless the newest labels brought a class that it never saw.

    How far spread labels can be relied on is measured on the labelled samples, each fifth of them predicted by the
    others'. Where they get at least ``trust`` of what chance would leave wrong right, they are taken in full; where
    they get less, labelled samples take the place of pool samples in a batch (0: always in full).
    """

    neighbours: Annotated[int, Field(ge=1, le=1000)] = 10
    sharpness: Annotated[float, Field(ge=0, le=100)] = 3.0
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.99
    blend: Annotated[float, Field(ge=0, le=1)] = 0.5
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    consistency_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    pool_weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.9
    trust: Annotated[float, Field(ge=0, le=1)] = 0.5
    teacher_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    alignment: Annotated[float, Field(ge=0, le=1)] = 1.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    warm_start: bool = False
    erase: Annotated[float, Field(ge=0, lt=1)] = 0.3
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def semi_supervised_needs(_: Any) -> frozenset[str]:
    """A latent space to spread labels in, and classes."""
    return frozenset({"latent", "probabilities"})


def semi_supervised_seconds(params: Any) -> float:
    """Seconds of a fit of the default convolutional network on images of 28 x 28."""
    return (params.steps + 1.3 * params.consistency_steps) * 4 * params.batch_size * 3e-4


def members(params: Any) -> int:
    """Models that one fit trains; an ensemble over rounds trains one."""
    return params.ensemble_size if params.ensemble == "members" else 1


def offers(params: Any) -> frozenset[str]:
    """A committee from the first fit on; an ensemble over rounds has one model after it."""
    return frozenset({"committee"} if params.ensemble == "members" else ())


def seconds(params: Any) -> float:
    """Seconds of a fit of the default U-Net on 64 x 64 inputs."""
    return members(params) * params.steps * params.batch_size * 2.2e-3


STANDARD = Plugin(
    kind="trainers",
    name="standard",
    summary="Supervised training of fixed length, with warm start, re-weighting by error and ensembles.",
    params=StandardParams,
    build="dataeff_al.trainers.standard:build",
    offers=offers,
    seconds=seconds,
    seconds_points=64 * 64,
    members=members,
)

SEMI_SUPERVISED = Plugin(
    kind="trainers",
    name="semi_supervised",
    summary="Few labels and the whole pool: labels spread over neighbours in latent space, then consistency training.",
    params=SemiSupervisedParams,
    build="dataeff_al.trainers.semi_supervised:build",
    needs=semi_supervised_needs,
    seconds=semi_supervised_seconds,
    seconds_points=28 * 28,
)
