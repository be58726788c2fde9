"""Light description of the atlas prior."""

from typing import Annotated, Any

from pydantic import Field

from dataeff_al.registry import Params, Plugin


class AtlasParams(Params):
    """Parameters of ``atlas``.

    ``cells``: of the table along each axis, over five standard deviations of a head. ``smooth``: how far labels are
    spread, in cells. ``floor``: labels that every class is taken to have everywhere. ``weight`` of the log-frequencies.
    """

    cells: Annotated[int, Field(ge=8, le=96)] = 40
    smooth: Annotated[float, Field(gt=0, le=10)] = 1.0
    floor: Annotated[float, Field(gt=0, le=1000)] = 0.02
    weight: Annotated[float, Field(gt=0, le=10)] = 1.0


def needs(_: Any) -> frozenset[str]:
    """A pool that says where voxels lie, and a learner that has a place for a table."""
    return frozenset({"places", "atlas"})


ATLAS = Plugin(
    kind="priors",
    name="atlas",
    summary="Label frequencies of the annotated heads on a normalised grid, as a log-prior on the logits.",
    params=AtlasParams,
    build="dataeff_al.priors.atlas:build",
    needs=needs,
)
