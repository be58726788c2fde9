"""Light descriptions of the networks for scans: one encoder with several decoders, and a sequence of blocks."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dataeff_al.registry import Params, Plugin

Width = Annotated[int, Field(ge=1, le=4096)]
Patch = Annotated[list[Annotated[int, Field(ge=4, le=1024)]], Field(min_length=2, max_length=3)]


class GridParams(Params):
    """What both networks share.

    ``dims: 2`` looks at volumes slice by slice, each with ``context`` neighbours on both sides (2.5-D); None: as many
    dimensions as a sample has. ``patch``: what a network of volumes is trained on and slides over, ``[d, h, w]``, or of
    slices, ``[h, w]``; None: all of it. ``merge_sides``: structures that come left and right are one to the network and
    told apart by the middle of the head; None: where the pool says where that is. ``norm``: by statistics of the
    batch, or of each sample.
    """

    task: Literal["segmentation"] | None = None
    dims: Literal[2, 3] | None = None
    context: Annotated[int, Field(ge=0, le=8)] = 0
    patch: Patch | None = None
    merge_sides: bool | None = None
    norm: Literal["batch", "instance"] = "batch"


class SegmenterParams(GridParams):
    """Parameters of ``segmenter``: a U-Net of MONAI's blocks; ``channels``: width of each level, from full resolution
    down. It has one decoder for the campaign's structures and one for each source of partial annotations."""

    channels: list[Width] = Field(default_factory=lambda: [24, 48, 96, 96], min_length=1, max_length=6)


class Block(Params):
    """One block of a ``cascade``: it works at ``1 / coarser`` of the resolution, with ``layers`` convolutions ``width``
    wide; of several ``levels``, each further one has two, twice as wide as those above."""

    coarser: Annotated[int, Field(ge=1, le=64)] = 1
    width: Width = 16
    layers: Annotated[int, Field(ge=2, le=16)] = 3
    levels: Annotated[int, Field(ge=1, le=4)] = 1


class CascadeParams(GridParams):
    """Parameters of ``cascade``: a network as a sequence of blocks, coarse to fine; each sees the image at its own
    resolution beside the answer of the block before."""

    blocks: list[Block] = Field(
        default_factory=lambda: [Block(coarser=4), Block(coarser=2), Block(coarser=1)], min_length=1, max_length=8
    )

    @model_validator(mode="after")
    def _finer(self) -> "CascadeParams":
        steps = [block.coarser for block in self.blocks]
        if steps != sorted(steps, reverse=True) or steps[-1] != 1:
            raise ValueError(f"blocks must become finer and end at 1, but got coarser {steps!r}.")
        return self


def segmenter_offers(_: Any) -> frozenset[str]:
    """Several decoders, and a place for an atlas."""
    return frozenset({"gradient", "features", "probabilities", "decoders", "atlas"})


def cascade_offers(_: Any) -> frozenset[str]:
    """Blocks that can be trained one by one, and a place for an atlas."""
    return frozenset({"gradient", "features", "probabilities", "blocks", "atlas"})


def needs(params: Any) -> frozenset[str]:
    """Left and right are told apart by where a voxel lies in the head."""
    return frozenset({"places"}) if params.merge_sides else frozenset()


SEGMENTER = Plugin(
    kind="learners",
    name="segmenter",
    summary="U-Net of scans, 2-D, 2.5-D or 3-D, with a decoder for each source of partial annotations.",
    params=SegmenterParams,
    build="dataeff_al.learners.segmenter:build",
    offers=segmenter_offers,
    needs=needs,
)

CASCADE = Plugin(
    kind="learners",
    name="cascade",
    summary="Sequence of blocks from coarse to fine, each refining the answer of the one before; 2-D, 2.5-D or 3-D.",
    params=CascadeParams,
    build="dataeff_al.learners.cascade:build",
    offers=cascade_offers,
    needs=needs,
)
