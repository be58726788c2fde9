"""Light descriptions of the built-in trainers."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.registry import Params, Plugin


class StandardParams(Params):
    """Parameters of ``standard``: AdamW, one learning-rate cycle, the same number of steps for everyone.

    ``warm_start``: start from the previous round's weights. ``reweight: error`` weights each sample by the previous
    model's loss on it; ``ensemble: rounds`` averages the models of the last ``ensemble_size`` rounds (both are the
    boosting of Mo et al., 2020). ``augment: shift`` moves images of a class by up to two pixels.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 16
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    warm_start: bool = False
    reweight: Literal["none", "error"] = "none"
    ensemble: Literal["none", "rounds"] = "none"
    ensemble_size: Annotated[int, Field(ge=2, le=100)] = 5
    augment: Literal["none", "shift"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def seconds(params: Any) -> float:
    """Seconds of a fit of the default U-Net on 64 x 64 inputs."""
    return params.steps * params.batch_size * 2.2e-3


STANDARD = Plugin(
    kind="trainers",
    name="standard",
    summary="Supervised training of fixed length, with warm start, re-weighting by error and an ensemble over rounds.",
    params=StandardParams,
    build="dataeff_al.trainers.standard:build",
    seconds=seconds,
)
