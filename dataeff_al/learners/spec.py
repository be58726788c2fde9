"""Light descriptions of the built-in learners."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.registry import Params, Plugin

Width = Annotated[int, Field(ge=1, le=4096)]
TaskName = Literal["classification", "segmentation", "regression"]


class SmallCnnParams(Params):
    """Parameters of ``small_cnn``.

    ``width``: channels of the first stage; ``hidden``: size of the feature layer. ``first_stride: 2`` begins at every
    second pixel, which costs a fraction of the time and, where strokes are thick, little accuracy.
    """

    task: Literal["classification", "regression"] | None = None
    width: Width = 24
    hidden: Width = 128
    first_stride: Annotated[int, Field(ge=1, le=2)] = 1


class MlpParams(Params):
    """Parameters of ``mlp``. ``depth`` hidden layers of ``width`` units."""

    task: Literal["classification", "regression"] | None = None
    width: Width = 128
    depth: Annotated[int, Field(ge=1, le=16)] = 2


class UnetParams(Params):
    """Parameters of ``unet``.

    ``channels``: width of each level, from full resolution down. ``coordinates``: append the axes' coordinates in
    [-1, 1] and the distance from the centre to the input; None: for field regression, where physics depends on
    position, and not for segmentation.
    """

    task: Literal["segmentation", "regression"] | None = None
    channels: list[Width] = Field(default_factory=lambda: [16, 32, 48, 64], min_length=1, max_length=8)
    coordinates: bool | None = None


_PREDICTS_PROBABILITIES = {"classification", "segmentation"}


def offers(params: Any) -> frozenset[str]:
    """What a learner offers samplers; without a stated task the target decides, so ``probabilities`` may come."""
    may = params.task is None or params.task in _PREDICTS_PROBABILITIES
    return frozenset({"gradient", "features"} | ({"probabilities"} if may else set()))


SMALL_CNN = Plugin(
    kind="learners",
    name="small_cnn",
    summary="Small strided convolutional network for classes or values, 2-D or 3-D.",
    params=SmallCnnParams,
    build="dataeff_al.learners.small_cnn:build",
    offers=offers,
)

MLP = Plugin(
    kind="learners",
    name="mlp",
    summary="Fully connected network for tables and flattened images: classes or values.",
    params=MlpParams,
    build="dataeff_al.learners.mlp:build",
    offers=offers,
)

UNET = Plugin(
    kind="learners",
    name="unet",
    summary="U-Net, 2-D or 3-D: field regression or segmentation on the input's grid.",
    params=UnetParams,
    build="dataeff_al.learners.unet:build",
    offers=offers,
)
