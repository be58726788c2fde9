"""Light description of the ``blockwise`` trainer."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.registry import Params, Plugin

Reduction = Literal["nearest", "majority", "any", "soft"]


class BlockwiseParams(Params):
    """Parameters of ``blockwise``: the blocks of a ``cascade``, coarse to fine.

    ``order: greedy`` fits one block after the other for ``steps`` each, with all before it standing still, so that
    memory follows the block and not the network; ``joint`` fits all of them together for ``steps``, every block by its
    own loss, or the last one alone without ``deep_supervision``: the control. ``fine_tune_steps``: joint steps after
    the greedy ones, at a tenth of the learning rate. ``reduction`` of the labels to a block's resolution: the code in
    the middle, the most frequent one, the most frequent structure where there is any, or shares of area, which keep
    what is small alive. ``around``: the share of patches that lie around some structure.
    """

    order: Literal["greedy", "joint"] = "greedy"
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    fine_tune_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    reduction: Reduction = "soft"
    deep_supervision: bool = True
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 5e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    augment: bool = True
    around: Annotated[float, Field(ge=0, le=1)] = 0.5
    warm_start: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def needs(_: Any) -> frozenset[str]:
    """A learner made of blocks."""
    return frozenset({"blocks"})


def seconds(params: Any) -> float:
    """Seconds of a fit of three blocks on slices of 96 x 96."""
    passes = 1.7 if params.order == "greedy" else 1.0
    return (passes * params.steps + params.fine_tune_steps) * params.batch_size * 0.03


BLOCKWISE = Plugin(
    kind="trainers",
    name="blockwise",
    summary="Greedy block-wise training, coarse to fine, each block frozen before the next; or all blocks jointly.",
    params=BlockwiseParams,
    build="dataeff_al.trainers.blockwise:build",
    needs=needs,
    seconds=seconds,
)
