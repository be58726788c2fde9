"""Light descriptions: the ``ivus`` labeler, and the pool of synthetic pullbacks."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from dataeff_al.registry import LabelerPlugin, Params, PoolPlugin


class IvusParams(Params):
    """Borders of a pullback, as masks of lumen, wall and calcium on the frames' own grid.

    ``pixel_size_mm`` and ``frame_spacing_mm``: of files that do not state them. ``every``: read each so-many-th frame.
    ``adventitia_mm``: a layer that is added around the EEM, as ultrasound does not show its outer border.
    ``least_confidence``: a pullback whose mean confidence is lower is passed on as a draft (see ``escalate``).
    """

    pixel_size_mm: float | None = Field(None, ge=0.002, le=0.5)
    frame_spacing_mm: float | None = Field(None, gt=0, le=50)
    every: int = Field(1, ge=1, le=1000)
    adventitia_mm: float = Field(0.0, ge=0, le=2)
    calcium: bool = True
    least_confidence: float = Field(0.0, ge=0, le=1)


class PullbacksParams(Params):
    """Synthetic pullbacks (a simulator's, never clinical): a sample is a whole pullback ``(1, frames, h, w)``.

    ``contours``: vessels from random shapes, or from the real contours of the shared data folder.
    """

    size: int = Field(60, ge=1, le=100_000)
    frames: int = Field(6, ge=1, le=512)
    pixels: int = Field(80, ge=64, le=512)
    depth_mm: float = Field(4.0, ge=2.5, le=12.0, description="imaging depth: half the side of a frame")
    spacing_mm: float = Field(0.5, gt=0, le=10)
    frequency_mhz: Literal[20, 40] = 20
    artefacts: bool = True
    contours: Literal["generated", "real"] = "generated"


def _pool_size(params: PullbacksParams, _: Path, __: Path | None) -> int:
    return params.size


def _points(params: PullbacksParams) -> int:
    return params.frames * params.pixels**2


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="ivus",
    summary="Lumen, EEM and calcium of intravascular ultrasound pullbacks.",
    params=IvusParams,
    build="labelers.ivus.labeler:IvusLabeler",
    offers=lambda _: frozenset({"synthesised"}),
    seconds=lambda _: 0.5,
    reader="labelers.ivus.labeler:read_file",
)

PULLBACKS = PoolPlugin(
    kind="pools",
    name="pullbacks",
    summary="Synthetic intravascular ultrasound pullbacks (20 or 40 MHz), a whole pullback a sample.",
    params=PullbacksParams,
    build="labelers.ivus.pool:build_pullbacks",
    size=_pool_size,
    points=_points,
)
