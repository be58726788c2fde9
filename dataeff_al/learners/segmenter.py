"""A U-Net of scans with one encoder and several decoders: the campaign's structures, and each partial source's.

After MO-Net (Dai et al., 2019, arXiv 1908.10851): what is cheap to annotate keeps the encoder useful for what is dear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from dataeff_al.learners.base import Network, make_task
from dataeff_al.learners.encoder_decoder import Decoder, Encoder, check_depth, norm_of
from dataeff_al.learners.grid_learner import GridLearner, Layout
from dataeff_al.learners.layout import convert, laid_out
from dataeff_al.learners.place_table import PlaceTable
from dataeff_al.learners.protocol import LearnerContext, TargetBatch
from dataeff_al.learners.region_loss import region_loss
from dataeff_al.learners.sides import SidedTask
from dataeff_al.learners.spec_segmentation import SegmenterParams
from dataeff_al.samples.anatomy import PARTIAL
from dataeff_al.samples.types import SampleSpec, TargetSpec

FULL = "full"


class Branched(Network):
    """One encoder, and a decoder for each name; what is asked for is the full one's answer."""

    def __init__(self, layout: Layout, params: SegmenterParams, outputs: Mapping[str, int]) -> None:
        super().__init__()
        norm = norm_of(params.norm)
        self.encoder = Encoder(layout.dims, layout.inputs, params.channels, norm)
        self.decoders = nn.ModuleDict(
            {name: Decoder(layout.dims, params.channels, count, norm) for name, count in outputs.items()}
        )
        convert(self, layout.dims)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs of the full decoder."""
        return self.branch(FULL, x)

    def branch(self, name: str, x: Tensor) -> Tensor:
        """Raw outputs of a decoder."""
        return self.decoders[name](self.encoder(laid_out(x)))

    def hidden(self, x: Tensor) -> Tensor:
        """Mean and maximum of the deepest level over space."""
        deepest = self.encoder(laid_out(x))[-1].flatten(2)
        return torch.cat([deepest.mean(2), deepest.amax(2)], 1)


class Segmenter(GridLearner):
    """A learner with a decoder for each source of partial annotations beside its own.

    ``sources``: of each source, the structures that it annotates. Where :meth:`prefer` says so, a structure's answer is
    the source's decoder's.
    """

    extra = frozenset({"decoders"})

    def __init__(self, context: LearnerContext, layout: Layout, params: SegmenterParams) -> None:
        task = SidedTask(context.target, layout.merge)
        self.sources = sources_of(context.samples)
        tasks = {name: SidedTask(_of_source(context.target, kept), layout.merge) for name, kept in self.sources.items()}
        outputs = {FULL: task.outputs} | {name: each.outputs for name, each in tasks.items()}
        self._branched = Branched(layout, params, outputs)
        super().__init__(context, layout, self._branched, task)
        self._partial = nn.ModuleDict(tasks)
        self._grids.add_module("partial", self._partial)
        for name in self.sources:
            self._grids.register_buffer(f"preferred_{name}", torch.zeros(len(context.target.classes), dtype=torch.bool))
        if self._atlas is not None:
            for name, each in tasks.items():
                self._grids.tables[name] = PlaceTable(each.outputs, self._atlas.cells, layout.merge)
        self._grids.eval()

    @property
    def classes(self) -> tuple[str, ...]:
        """Background and all structures of the campaign."""
        return self._grids.task.target.classes

    @property
    def target_name(self) -> str:
        """The name of the answers."""
        return self._grids.task.target.name

    @property
    def encoder(self) -> nn.Module:
        """What all decoders share."""
        return self._branched.encoder

    def decoder(self, name: str) -> nn.Module:
        """The decoder of a source, or ``full``."""
        return self._branched.decoders[name]

    def source_targets(self, name: str, codes: np.ndarray) -> TargetBatch:
        """A source's codes ``(n, ...)`` as targets; the last one, not annotated, is not valid."""
        task, hidden = self._task(name), len(self.sources[name]) + 1
        given = torch.from_numpy(codes.astype(np.int64))
        valid = given != hidden
        return TargetBatch(task.lookup[torch.where(valid, given, 0)], None if bool(valid.all()) else valid)

    def branch_loss(self, name: str, x: Tensor, targets: TargetBatch) -> Tensor:
        """Loss of a batch of patches under a decoder, a number; cross-entropy and Dice where the targets are valid."""
        seen, places = self.seen(self._checked(x), tuple(targets.y.shape[-len(self.layout.grid) :]))
        raw = self._with_places(name, self.shaped(self._branched.branch(name, seen), targets.y), places)
        return region_loss(raw, targets.y, targets.valid)

    def adopt(self, name: str) -> None:
        """Copy a source's decoder into the full one, all but the outputs themselves."""
        with torch.no_grad():
            for own, given in zip(self.decoder(FULL).parameters(), self.decoder(name).parameters(), strict=True):
                if own.shape == given.shape:
                    own.copy_(given)
            for mine, theirs in zip(self.decoder(FULL).buffers(), self.decoder(name).buffers(), strict=True):
                mine.copy_(theirs)

    def prefer(self, name: str, structures: Iterable[str]) -> None:
        """Answer these structures by a source's decoder from now on."""
        classes, wanted = self._grids.task.target.classes, set(structures)
        self._flags(name).copy_(torch.tensor([each in wanted for each in classes]))

    def preferred(self, name: str) -> list[str]:
        """Structures that a source's decoder answers."""
        classes = self._grids.task.target.classes
        return [each for each, flag in zip(classes, self._flags(name).tolist(), strict=True) if flag]

    def source_probabilities(self, name: str, x: Tensor) -> Tensor:
        """A source's decoder alone: ``(n, background and its structures, ...)``; no gradient."""
        return self._each(x, lambda rows: self._of(name, rows))

    def plain_probabilities(self, x: Tensor) -> Tensor:
        """The full decoder alone: ``(n, k, ...)``; no gradient."""
        return self._each(x, super()._probabilities)

    def merged_codes(self, x: Tensor) -> Tensor:
        """The full decoder's answer in merged classes ``(n, ...)`` int64; no gradient."""
        return self._each(x, lambda rows: self._merged(rows).argmax(1))

    def merged_of(self, names: Sequence[str]) -> Tensor:
        """The merged class of each name, -1 for one that is no structure: ``(len(names),)`` int64."""
        lookup = self._grids.task.lookup.tolist()
        return torch.tensor([lookup[self.classes.index(each)] if each in self.classes else -1 for each in names])

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Each decoder's own answer to whole samples, the full one's last: class codes ``(n, ...)``; no gradient."""
        of_sources = {f"decoder of {name}": self._source_codes(name, x) for name in self.sources}
        return of_sources | {"full decoder": self.plain_probabilities(x).argmax(1)}

    def _source_codes(self, name: str, x: Tensor) -> Tensor:
        """A source's answer in the campaign's codes."""
        known = [self.classes.index(each) if each in self.classes else 0 for each in self.sources[name]]
        return torch.tensor([0, *known])[self.source_probabilities(name, x).argmax(1)]

    def _of(self, name: str, x: Tensor) -> Tensor:
        raw = self.shaped(self._over_slices(x, partial(self._branched.branch, name)), x)
        merged = self._with_places(name, raw, self._places(x)).softmax(1)
        return self._task(name).told_apart(merged, self._at_x(x))

    def _probabilities(self, x: Tensor) -> Tensor:
        found = super()._probabilities(x)
        for name, kept in self.sources.items():
            if bool(self._flags(name).any()):
                found = self._taken_over(found, self._of(name, x), name, kept)
        return found

    def _taken_over(self, found: Tensor, answers: Tensor, name: str, kept: Sequence[str]) -> Tensor:
        """Preferred structures get the source's probability, all others share what is left as they did."""
        flags, classes = self._flags(name), self._grids.task.target.classes
        rows = [place for place, each in enumerate(classes) if bool(flags[place])]
        given = answers[:, [kept.index(classes[row]) + 1 for row in rows]]
        left = (1.0 - given.sum(1, keepdim=True)).clamp(min=0.0)
        others = torch.where(flags.reshape(1, -1, *[1] * (found.dim() - 2)), 0.0, found)
        whole = others * (left / others.sum(1, keepdim=True).clamp(min=1e-12))
        whole[:, rows] = given
        return whole / whole.sum(1, keepdim=True).clamp(min=1e-12)

    def _task(self, name: str) -> SidedTask:
        task = self._partial[name]
        assert isinstance(task, SidedTask)
        return task

    def _flags(self, name: str) -> Tensor:
        return self._grids.get_buffer(f"preferred_{name}")


def sources_of(samples: SampleSpec | None) -> dict[str, tuple[str, ...]]:
    """The structures of each source of partial annotations that the samples carry."""
    fields = {} if samples is None else samples.fields
    return {name.removeprefix(PARTIAL): form.classes[1:-1] for name, form in fields.items() if name.startswith(PARTIAL)}


def _of_source(target: TargetSpec, structures: Sequence[str]) -> TargetSpec:
    return replace(target, classes=(target.classes[0], *structures), regions=(), groups=())


def build(params: SegmenterParams, context: LearnerContext) -> Segmenter:
    """The learner of a campaign. Raises CapabilityError when sample, target and parameters do not go together."""
    make_task("segmenter", ("mask",), params.task, context.target)
    layout = Layout(params, context)
    check_depth(layout.patch[-layout.dims :], len(params.channels))
    return Segmenter(context, layout, params)
