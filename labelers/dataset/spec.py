"""The ``dataset`` labeler's light description."""

from typing import Annotated, Any

from pydantic import Field

from dataeff_al.registry import LabelerPlugin, Params


class DatasetParams(Params):
    """Answers at once, or ``delay_s`` seconds after each question, which stands in for a slow labeler.

    ``cost``: what one answer costs in the budget's unit, such as the slices of a volume where slices are counted.
    """

    delay_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    cost: Annotated[int, Field(ge=1, le=1_000_000)] = 1


def needs(_: Any) -> frozenset[str]:
    """The pool must know true labels."""
    return frozenset({"answers"})


def seconds(params: DatasetParams) -> float:
    """One answer takes the delay."""
    return params.delay_s


def max_cost(params: DatasetParams) -> int:
    """Every answer costs the same."""
    return params.cost


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="dataset",
    summary="answers with the true labels that the pool's data set holds",
    params=DatasetParams,
    build="labelers.dataset.labeler:DatasetLabeler",
    needs=needs,
    seconds=seconds,
    max_cost=max_cost,
)
