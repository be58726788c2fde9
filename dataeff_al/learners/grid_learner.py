"""What learners of scans share: places beside images, slices of volumes, merged sides, atlas, sliding windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.learners.base import InputScale, Model, Network, TorchLearner
from dataeff_al.learners.modes import evaluating
from dataeff_al.learners.place_table import PlaceTable, atlas_of
from dataeff_al.learners.protocol import LearnerContext, TargetBatch
from dataeff_al.learners.sides import SidedTask, merged_sides
from dataeff_al.learners.slabs import flat, slabs, stacked
from dataeff_al.learners.spec_segmentation import GridParams
from dataeff_al.samples.anatomy import PLACES
from dataeff_al.samples.types import TensorSpec

_SLICES_AT_ONCE = 16
_OVERLAP = 0.25


class Layout:
    """How a learner of scans sees its samples: dimensions, context, where the places stand, which patch."""

    def __init__(self, params: GridParams, context: LearnerContext) -> None:
        """Raises CapabilityError when sample, target and patch do not go together."""
        shape, target = tuple(context.tensor.shape), context.target
        if target.kind != "mask" or tuple(target.shape) != shape[1:] or len(shape) not in (3, 4):
            raise CapabilityError(f"a learner of scans must have a mask on the input's grid, but got {target.kind!r}.")
        channels = () if context.samples is None else context.samples.input_field.channels
        self.grid, self.volumes = shape[1:], len(shape) == 4
        self.dims = params.dims or len(self.grid)
        self.has_places = tuple(channels[-3:]) == PLACES
        self.images = shape[0] - (3 if self.has_places else 0)
        if self.dims > len(self.grid) or (params.context and not self.by_slices):
            raise CapabilityError(
                f"context and dims must fit samples of {len(self.grid)} axes, but got {params.context}, {self.dims}."
            )
        self.context, self.patch = params.context, self._patch(params)
        pairs = any(merged_sides(target.classes, True).side)
        self.merge = pairs and self.has_places if params.merge_sides is None else params.merge_sides
        if self.merge and not self.has_places:
            raise CapabilityError(
                "merged sides must have a pool that says where voxels lie, but got one that does not."
            )

    @property
    def by_slices(self) -> bool:
        """Whether volumes are looked at slice by slice."""
        return self.volumes and self.dims == 2

    @property
    def inputs(self) -> int:
        """Channels that the network sees."""
        return self.images * (2 * self.context + 1) + (3 if self.has_places else 0)

    def _patch(self, params: GridParams) -> tuple[int, ...]:
        """What training sees at once: whole slices of a volume that is looked at slice by slice."""
        whole = (1, *self.grid[1:]) if self.by_slices else self.grid
        if params.patch is None:
            return whole
        wanted = (1, *params.patch) if self.by_slices and len(params.patch) == 2 else tuple(params.patch)
        if len(wanted) != len(self.grid):
            raise CapabilityError(f"a patch must have the sample's {len(self.grid)} axes, but got {params.patch!r}.")
        if any(side > most for side, most in zip(wanted, self.grid, strict=True)):
            raise CapabilityError(f"a patch must fit the sample {self.grid!r}, but got {params.patch!r}.")
        return wanted


class ScanScale(InputScale):
    """Standardises images and leaves places as they are."""

    def __init__(self, tensor: TensorSpec, images: int) -> None:
        super().__init__(tensor)
        self._images = images

    def calibrate(self, x: Tensor) -> None:
        """Set mean and deviation of the images."""
        super().calibrate(x)
        self.mean[:, self._images :] = 0.0
        self.std[:, self._images :] = 1.0


class GridModel(Model):
    """All that travels with a learner of scans: scales, network, tasks and tables by decoder, in one state dict."""

    task: SidedTask

    def __init__(self, scale: ScanScale, network: Network, task: SidedTask) -> None:
        super().__init__(scale, network, task)
        self.tables = nn.ModuleDict()
        self.answer: Callable[[Tensor], Tensor] = super().forward

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of whole samples, as the learner answers them."""
        return self.answer(x)


class GridLearner(TorchLearner):
    """A learner of scans around a network that takes what :meth:`seen` makes of a batch.

    Batches may be patches: with ``layout.context`` slices more than their targets at each end, or as they are.
    """

    extra: frozenset[str] = frozenset()

    def __init__(self, context: LearnerContext, layout: Layout, network: Network, task: SidedTask) -> None:
        self._tensor, self.layout = context.tensor, layout
        self._atlas = atlas_of(context.priors)
        self._grids = GridModel(ScanScale(context.tensor, layout.images), network, task)
        self._model = self._grids
        if self._atlas is not None:
            if not layout.has_places:
                raise CapabilityError(
                    "an atlas must have a pool that says where voxels lie, but got one that does not."
                )
            self._grids.tables["full"] = PlaceTable(task.outputs, self._atlas.cells, layout.merge)
        self._grids.answer = self._probabilities
        self._grids.eval()

    @property
    def offers(self) -> frozenset[str]:
        """What samplers and trainers may ask of it."""
        return frozenset({"gradient", "features", "probabilities", "atlas", "stages"}) | self.extra

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored head is as true as the head: no class has a side of its own."""
        return self.layout.merge or not any(merged_sides(self._grids.task.target.classes, True).side)

    def calibrate(self, x: Tensor, targets: TargetBatch) -> None:
        """Set the input's scale, and learn the atlas from the annotated samples."""
        super().calibrate(x, targets)
        self.learn_places("full", x, targets)

    def learn_places(self, name: str, x: Tensor, targets: TargetBatch) -> None:
        """Learn where the structures of a decoder lie, when the campaign states an atlas."""
        if self._atlas is not None and name in self._grids.tables:
            self._table(name).learn(self._atlas, x[:, self.layout.images :], targets.y, targets.valid)

    def loss(self, x: Tensor, targets: TargetBatch) -> Tensor:
        """Loss of each sample ``(n,)``, masked by validity, differentiable in ``x``; not weighted."""
        seen, places = self.seen(self._checked(x), tuple(targets.y.shape[-len(self.layout.grid) :]))
        return self._grids.task.loss(
            self._with_places("full", self.shaped(self._grids.network(seen), x), places), targets
        )

    def predict(self, x: Tensor) -> Tensor:
        """Probabilities ``(n, k, ...)`` of all classes; no gradient."""
        return self._each(x, self._probabilities)

    def features(self, x: Tensor) -> Tensor:
        """Last hidden representation ``(n, f)``, averaged over slices; no gradient."""
        return self._each(x, self._hidden)

    def _hidden(self, x: Tensor) -> Tensor:
        hidden = self._grids.network.hidden
        found = torch.cat([hidden(part) for part in self.seen(x)[0].split(_SLICES_AT_ONCE)])
        return found.mean(0, keepdim=True) if self.layout.by_slices else found

    def seen(self, x: Tensor, grid: tuple[int, ...] | None = None) -> tuple[Tensor, Tensor | None]:
        """What the network sees of ``x``, and the places ``(n, 3, ...)`` of what it answers.

        ``grid``: that of the answers; a volume may bring ``context`` slices more at each end.
        """
        x = self._grids.scale(x)
        images, where = x[:, : self.layout.images], x[:, self.layout.images :] if self.layout.has_places else None
        if self.layout.by_slices:
            context = self.layout.context
            padded = grid is not None and grid[0] == x.shape[2] - 2 * context and context > 0
            if padded and where is not None:
                where = where[:, :, context : x.shape[2] - context]
            images = slabs(images, context, padded=padded)
        if where is None:
            return images, None
        felt = flat(where) if self.layout.by_slices else where
        return torch.cat([images, self._felt(felt)], 1), where

    def shaped(self, raw: Tensor, x: Tensor) -> Tensor:
        """A network's answers on the samples' own axes."""
        return stacked(raw, len(x)) if self.layout.by_slices else raw

    def _felt(self, where: Tensor) -> Tensor:
        """Places around zero; how far from the middle alone where sides are merged."""
        centred = 4.0 * where - 2.0
        return torch.cat([centred[:, :1].abs(), centred[:, 1:]], 1) if self.layout.merge else centred

    def _with_places(self, name: str, raw: Tensor, places: Tensor | None) -> Tensor:
        if places is None or name not in self._grids.tables:
            return raw.float()
        return raw.float() + self._table(name)(places)

    def _table(self, name: str) -> PlaceTable:
        table = self._grids.tables[name]
        assert isinstance(table, PlaceTable)
        return table

    def _probabilities(self, x: Tensor) -> Tensor:
        """Of one sample ``(1, c, ...)``."""
        return self._grids.task.told_apart(self._merged(x), self._at_x(x))

    def _merged(self, x: Tensor) -> Tensor:
        """Probabilities of merged classes of one sample, or of a few slices."""
        raw = self._over_slices(x, self._grids.network)
        return self._with_places("full", self.shaped(raw, x), self._places(x)).softmax(1)

    def _over_slices(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """A function of what the network sees, in parts, so that memory stays bounded."""
        seen, _ = self.seen(x)
        if self.layout.dims == 3 and tuple(seen.shape[2:]) != self.layout.patch:
            return self._windows(seen, function)
        return torch.cat([function(part) for part in seen.split(_SLICES_AT_ONCE)])

    def _windows(self, seen: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        from monai.inferers.utils import sliding_window_inference

        found: Any = sliding_window_inference(
            seen, self.layout.patch, 1, function, overlap=_OVERLAP, mode="gaussian", padding_mode="replicate"
        )
        return found

    def _places(self, x: Tensor) -> Tensor | None:
        return x[:, self.layout.images :] if self.layout.has_places else None

    def _at_x(self, x: Tensor) -> Tensor | None:
        return x[:, self.layout.images] if self.layout.has_places else None

    def _each(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        whole = self._checked(x)
        if tuple(x.shape[2:]) != self.layout.grid:
            raise DataError(f"what is predicted must be a whole sample {self.layout.grid}, but got {tuple(x.shape)}.")
        with torch.no_grad(), evaluating(self._grids):
            rows = 1 if self.layout.volumes else _SLICES_AT_ONCE
            parts = list(whole.split(rows))
            return torch.cat([function(part) for part in parts])

    def _checked(self, x: Tensor) -> Tensor:
        """Patches are allowed: channels and axes must be the sample's."""
        if x.shape[1] != self._tensor.shape[0] or x.dim() != len(self._tensor.shape) + 1:
            raise DataError(f"a learner's input must have shape (n, *{self._tensor.shape}), but got {tuple(x.shape)}.")
        return x


@contextmanager
def frozen(modules: Sequence[nn.Module]) -> Iterator[None]:
    """No gradient for the modules inside the block, and their statistics stand still."""
    parameters = [each for module in modules for each in module.parameters() if each.requires_grad]
    modes = [(module, module.training) for module in modules]
    for each in parameters:
        each.requires_grad_(False)
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for each in parameters:
            each.requires_grad_(True)
        for module, mode in modes:
            module.train(mode)
