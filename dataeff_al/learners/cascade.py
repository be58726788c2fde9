"""A network as a sequence of blocks, coarse to fine; each refines the answer of the one before.

P_k = softmax(B_k([I_{r_k}, up(P_{k-1})])), r_1 <= r_2 <= ... = full resolution: greedy block-wise training can fit the
blocks one after the other, so that memory follows the block and the difficulty grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dataeff_al.learners.base import Network, make_task
from dataeff_al.learners.encoder_decoder import Decoder, Encoder, check_depth, convolution, norm_of
from dataeff_al.learners.grid_learner import GridLearner, Layout
from dataeff_al.learners.layout import convert, laid_out
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.learners.sides import SidedTask
from dataeff_al.learners.spec_segmentation import Block, CascadeParams

_POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


class Stage(nn.Module):
    """The convolutions of one block: a plain stack, or a small U-Net where it has several levels."""

    def __init__(self, dims: int, inside: int, block: Block, outputs: int, norm: Any) -> None:
        super().__init__()
        widths = [block.width * 2**level for level in range(block.levels)]
        self.encoder = Encoder(dims, inside, widths, norm)
        # The encoder begins with two convolutions.
        self.more = nn.Sequential(*(convolution(dims, block.width, norm) for _ in range(block.layers - 2)))
        self.decoder = Decoder(dims, widths, outputs, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs ``(n, outputs, ...)``."""
        levels = self.encoder(x)
        return self.decoder([self.more(levels[0]), *levels[1:]])

    def hidden(self, x: Tensor) -> Tensor:
        """Features before the outputs are made."""
        return self.encoder(x)[-1]


class Cascade(Network):
    """Blocks in order; ``blocks[k]`` answers at ``1 / coarser[k]`` of the resolution."""

    def __init__(self, layout: Layout, params: CascadeParams, outputs: int) -> None:
        super().__init__()
        self.dims, self.coarser = layout.dims, [block.coarser for block in params.blocks]
        norm = norm_of(params.norm)
        self.blocks = nn.ModuleList(
            Stage(layout.dims, layout.inputs + (outputs if place else 0), block, outputs, norm)
            for place, block in enumerate(params.blocks)
        )
        convert(self, layout.dims)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of the last block."""
        return self.upto(x, len(self.blocks))[-1]

    def upto(self, x: Tensor, count: int, *, through: bool = True) -> list[Tensor]:
        """Raw outputs of the first ``count`` blocks, each at its own resolution.

        ``through=False``: no gradient but of the last of them, so that nothing of the others is kept in memory.
        """
        raw: list[Tensor] = []
        for place in range(count):
            with torch.set_grad_enabled(torch.is_grad_enabled() and (through or place == count - 1)):
                raw.append(self.block(place, x, raw[-1] if raw else None))
        return raw

    def block(self, place: int, x: Tensor, before: Tensor | None) -> Tensor:
        """One block's raw outputs from the image and the raw outputs of the block before."""
        return self.blocks[place](laid_out(self._input(place, x, before)))

    def hidden(self, x: Tensor) -> Tensor:
        """Mean and maximum of the last block's deepest features over space."""
        raw = self.upto(x, len(self.blocks) - 1)
        last = self.blocks[-1]
        assert isinstance(last, Stage)
        deep = last.hidden(laid_out(self._input(len(self.blocks) - 1, x, raw[-1] if raw else None))).flatten(2)
        return torch.cat([deep.mean(2), deep.amax(2)], 1)

    def _input(self, place: int, x: Tensor, before: Tensor | None) -> Tensor:
        image = self.coarse(x, self.coarser[place])
        if before is None:
            return image
        map_ = before.float().softmax(1)
        if map_.shape[2:] != image.shape[2:]:
            map_ = functional.interpolate(
                map_, size=image.shape[2:], mode=_INTERPOLATION[self.dims], align_corners=False
            )
        return torch.cat([image, map_], 1)

    def coarse(self, x: Tensor, factor: int) -> Tensor:
        """Averages over ``factor`` places along every axis; what is over at an end is averaged alone."""
        if factor == 1:
            return x
        kernel = [min(factor, side) for side in x.shape[2:]]
        return _POOL[self.dims](x, kernel, ceil_mode=True, count_include_pad=False)


class CascadeLearner(GridLearner):
    """A learner whose network can be trained block by block."""

    extra = frozenset({"blocks"})

    def __init__(self, context: LearnerContext, layout: Layout, params: CascadeParams) -> None:
        task = SidedTask(context.target, layout.merge)
        self._cascade = Cascade(layout, params, task.outputs)
        super().__init__(context, layout, self._cascade, task)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The blocks, coarse to fine."""
        return list(self._cascade.blocks)

    @property
    def coarser(self) -> Sequence[int]:
        """By how much each block is coarser than the image."""
        return self._cascade.coarser

    def block_answers(self, x: Tensor, count: int, grid: tuple[int, ...], *, through: bool) -> list[Tensor]:
        """Raw outputs of the first ``count`` blocks for patches whose targets have that ``grid``, ``(n, k, ...)`` each;
        slices of a volume are rows. The last one of all blocks has the atlas added to it."""
        seen, places = self.seen(self._checked(x), grid)
        raw = self._cascade.upto(seen, count, through=through)
        if count == len(self._cascade.blocks):
            raw[-1] = self.flattened(self._with_places("full", self.shaped(raw[-1], x), places))
        return raw

    def flattened(self, values: Tensor) -> Tensor:
        """Values on the samples' axes as the network's rows: slices of a volume apart where it sees slices."""
        return values.transpose(1, 2).flatten(0, 1) if self.layout.by_slices else values

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """What each block answers to whole samples, on their own grid: class codes ``(n, ...)``; no gradient."""
        names = [f"block {place + 1} (1/{step})" for place, step in enumerate(self.coarser)]
        found = [self._each(x, partial(self._stage, count=place + 1)) for place in range(len(names))]
        return dict(zip(names, found, strict=True))

    def _stage(self, x: Tensor, count: int) -> Tensor:
        """The answer of the first ``count`` blocks, of one sample or of a few slices."""
        if count == len(self.blocks):
            return self._probabilities(x).argmax(1)
        raw = self._over_slices(x, lambda seen: self._finest(self._cascade.upto(seen, count)[-1], seen))
        return self._grids.task.told_apart(self.shaped(raw, x).softmax(1), self._at_x(x)).argmax(1)

    def _finest(self, raw: Tensor, seen: Tensor) -> Tensor:
        return functional.interpolate(raw.float(), size=seen.shape[2:], mode="nearest")


def build(params: CascadeParams, context: LearnerContext) -> CascadeLearner:
    """The learner of a campaign. Raises CapabilityError when sample, target and parameters do not go together."""
    make_task("cascade", ("mask",), params.task, context.target)
    layout = Layout(params, context)
    for block in params.blocks:
        grid = [-(-side // block.coarser) for side in layout.patch[-layout.dims :]]
        check_depth(grid, block.levels)
    return CascadeLearner(context, layout, params)
