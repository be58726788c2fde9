"""Light descriptions of the vessel pools."""

from pathlib import Path

from pydantic import Field

from dataeff_al.registry import Params, PoolPlugin


class VesselSectionsParams(Params):
    """Generated vessel sections; the campaign's seed decides which."""

    size: int = Field(2000, ge=1, le=1_000_000, description="number of sections")
    pixels: int = Field(64, ge=32, le=512, description="side of the square mask in pixels")
    field_of_view_mm: float = Field(5.0, ge=4.0, le=50.0, description="side of the square mask in mm")


class IvusSectionsParams(VesselSectionsParams):
    """Sections drawn from a shape model of real IVUS frames (needs DATAEFF_DATA)."""

    held_out_frames: int = Field(8, ge=0, le=28, description="positions along the artery kept as real test frames")


def _generated_size(params: VesselSectionsParams, _: Path, __: Path | None) -> int:
    return params.size


def _points(params: VesselSectionsParams) -> int:
    return params.pixels**2


def _ivus_size(params: IvusSectionsParams, _: Path, __: Path | None) -> int:
    return params.size


VESSEL_SECTIONS = PoolPlugin(
    kind="pools",
    name="vessel_sections",
    summary="Generated vessel cross-sections with lipid, calcium and fibrous plaque.",
    params=VesselSectionsParams,
    build="dataeff_al.vessel.pools:build_vessel_sections",
    size=_generated_size,
    points=_points,
)

IVUS_SECTIONS = PoolPlugin(
    kind="pools",
    name="ivus_sections",
    summary="Vessel cross-sections from a shape model of real IVUS contours; real frames are held out as test.",
    params=IvusSectionsParams,
    build="dataeff_al.vessel.ivus_pool:build_ivus_sections",
    size=_ivus_size,
    points=_points,
)
