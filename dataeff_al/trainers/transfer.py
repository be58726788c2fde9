"""Transfer from partial annotations: MO-Net (Dai et al., 2019, arXiv 1908.10851) and its controls.

Stage one learns what partial annotations know. Stage two trains one encoder and all decoders together, from those
weights, so that the encoder keeps features that serve both. Where a source has not looked, it costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.ensemble import members_of
from dataeff_al.learners.grid_learner import frozen
from dataeff_al.learners.protocol import Learner
from dataeff_al.learners.segmenter import FULL, Segmenter
from dataeff_al.randomness import seed_for
from dataeff_al.samples.anatomy import PARTIAL
from dataeff_al.samples.types import Sample
from dataeff_al.trainers.descent import Descent
from dataeff_al.trainers.patches import PatchSource, changed
from dataeff_al.trainers.protocol import FitReport, TrainerContext
from dataeff_al.trainers.standard import TrainingSet, notes, training_set
from dataeff_al.trainers.transfer_answers import better_structures, judged_fully, judged_in_part, pseudo_labels
from dataeff_al.trainers.transfer_spec import TransferParams
from dataeff_al.view import View

_MOST_JUDGED = 64


@dataclass(frozen=True)
class Lesson:
    """What a fit learns from: full annotations, and the samples of each source that it has annotated.

    ``partial``: name to inputs and targets; ``rest``: samples without a full annotation, and ``rest_x`` their inputs.
    """

    full: TrainingSet
    partial: Mapping[str, TrainingSet]
    rest: Sequence[Sample] = ()
    rest_x: Tensor | None = None


class Transfer:
    """The policy of a campaign; see :class:`~dataeff_al.trainers.transfer_spec.TransferParams`."""

    def __init__(self, params: TransferParams) -> None:
        self._params = params
        self._descend = Descent(params.learning_rate, params.weight_decay, params.precision)

    def fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        """Fit a new learner on full and partial annotations.

        Raises :class:`TrainingError` when nothing is labelled or a loss is not finite, :class:`CapabilityError` when
        the learner has one decoder only or the pool no partial annotations that the policy needs.
        """
        start = time.perf_counter()
        learner = decoders_of(view.new_learner(seed_for(seed, "weights")))
        lesson = self._lesson(view, learner)
        if previous is not None and self._params.warm_start:
            learner.load(members_of(previous)[-1].state())
        learner.calibrate(lesson.full.x, lesson.full.targets)
        for name, data in lesson.partial.items():
            learner.learn_places(name, data.x, data.targets)
        run = Run(self._params, self._descend, learner, lesson, seed)
        loss = POLICIES[self._params.policy](run)
        about = dict(notes(view, lesson.full)) | run.notes
        if self._params.take_better and run.trained_sources:
            about |= self._take_better(view, learner, run.trained_sources)
        return FitReport(learner, run.steps, loss, time.perf_counter() - start, about)

    def _lesson(self, view: View, learner: Segmenter) -> Lesson:
        full = training_set(view, learner)
        wanted = list(learner.sources) if self._params.sources is None else self._params.sources
        if unknown := [name for name in wanted if name not in learner.sources]:
            raise CapabilityError(f"a source must be one of {sorted(learner.sources)!r}, but got {unknown[0]!r}.")
        if self._params.policy in ("scratch", "frozen_random"):
            return Lesson(full, {})
        samples = self._samples(view)
        partial = {name: self._of_source(view, learner, name, samples) for name in wanted}
        found = {name: data for name, data in partial.items() if data is not None}
        if not found:
            raise CapabilityError("transfer must have partial annotations in the pool, but got none.")
        labelled = {entry.sample.id for entry in view.labelled}
        rest = [sample for sample in samples if sample.id not in labelled]
        if not self._params.answers_itself or not rest:
            return Lesson(full, found)
        return Lesson(full, found, rest, view.codec.soften(rest))

    def _samples(self, view: View) -> list[Sample]:
        """Labelled samples of the pool, then others in the pool's order."""
        labelled = [entry.sample for entry in view.labelled if not entry.synthesised]
        free = view.pool.read(list(view.unlabelled)[: max(0, self._params.most_samples - len(labelled))])
        known = {sample.id for sample in labelled}
        return [*labelled, *(sample for sample in free if sample.id not in known)]

    def _of_source(self, view: View, learner: Segmenter, name: str, samples: Sequence[Sample]) -> TrainingSet | None:
        field, hidden = PARTIAL + name, len(learner.sources[name]) + 1
        known = [s for s in samples if field in s.fields and bool((s.fields[field] != hidden).any())]
        if not known:
            return None
        codes = torch.stack([torch.from_numpy(sample.fields[field]) for sample in known])
        return TrainingSet(view.codec.soften(known), learner.source_targets(name, codes.numpy()))

    def _take_better(self, view: View, learner: Segmenter, sources: Sequence[str]) -> dict[str, str]:
        """Answer a structure by a source's decoder where that is the better one on the validation split.

        Without one, on samples that the source has annotated and nobody fully: these favour the source, which has
        learnt from them, as it should be where it has seen many more heads.
        """
        found: dict[str, str] = {}
        for name in sources:
            judged = judged_fully(learner, view.codec, view.validation)
            if not view.validation:
                judged = judged_in_part(learner, name, view.codec, self._rest(view, PARTIAL + name))
            learner.prefer(name, better := better_structures(learner, name, judged))
            if better:
                found[f"answered_by_{name}"] = ", ".join(better)
        return found

    def _rest(self, view: View, field: str) -> list[Sample]:
        labelled = {entry.sample.id for entry in view.labelled}
        return [each for each in self._samples(view) if each.id not in labelled and field in each.fields][:_MOST_JUDGED]


class Run:
    """One fit of one policy: what it trains, and how many steps it has taken."""

    def __init__(self, params: TransferParams, descend: Descent, learner: Segmenter, lesson: Lesson, seed: int) -> None:
        self.params, self._descend, self.learner, self.lesson = params, descend, learner, lesson
        self._generator = torch.Generator().manual_seed(seed_for(seed, "patches"))
        self.steps, self.trained_sources, self.notes = 0, list[str](), dict[str, str]()
        self._full = self._patches(lesson.full)
        self._partial = {name: self._patches(data) for name, data in lesson.partial.items()}

    def scratch(self) -> float:
        """Full annotations alone."""
        return self._train([self.learner.encoder, self.learner.decoder(FULL)], self.params.steps, self._full_loss)

    def frozen_random(self) -> float:
        """A decoder on an encoder as it was drawn."""
        with frozen([self.learner.encoder]):
            return self._train([self.learner.decoder(FULL)], self.params.steps, self._full_loss)

    def frozen_pretrained(self) -> float:
        """A decoder on the encoder of stage one."""
        self.pretrain()
        return self.frozen_random()

    def finetune(self) -> float:
        """Stage one, then full annotations alone."""
        self.pretrain()
        return self.scratch()

    def pseudo(self) -> float:
        """Fine-tuned, then trained on its own answers beside the full annotations."""
        self.finetune()
        return self._taught_by_itself([self.learner.encoder, self.learner.decoder(FULL)], self._full_loss)

    def monet(self) -> float:
        """Stage one, then one encoder with all decoders; and on, if so set, with its own answers beside them."""
        self.pretrain()
        self.trained_sources = list(self._partial)
        modules = [self.learner.encoder, *(self.learner.decoder(name) for name in (FULL, *self._partial))]
        loss = self._train(modules, self.params.steps, self._joint_loss)
        return self._taught_by_itself(modules, self._joint_loss) if self.params.self_training else loss

    def _taught_by_itself(self, modules: Sequence[torch.nn.Module], loss: Callable[[], Tensor]) -> float:
        """As many steps again, on corrected answers to what nobody annotated fully beside ``loss``."""
        if self.lesson.rest_x is None:
            return self._train(modules, self.params.steps, loss)
        answers = self._patches(pseudo_labels(self.learner, self.lesson.rest_x, self.lesson.rest))
        self.notes["pseudo_labelled"] = str(len(self.lesson.rest))
        return self._train(modules, self.params.steps, lambda: loss() + self._loss(FULL, answers))

    def pretrain(self) -> None:
        """Stage one: the partial annotations alone; the full decoder takes over the largest source's weights."""
        decoders = [self.learner.decoder(name) for name in self._partial]
        loss = self._train([self.learner.encoder, *decoders], self.params.partial_steps, self._partial_loss)
        self.notes["stage_one"] = f"{self.params.partial_steps} steps on {self._described()}, loss {loss:.4g}"
        self.learner.adopt(max(self._partial, key=lambda name: len(self.lesson.partial[name].x)))

    def _described(self) -> str:
        return ", ".join(f"{len(data.x)} samples of {name}" for name, data in self.lesson.partial.items())

    def _train(self, modules: Sequence[torch.nn.Module], steps: int, loss: Callable[[], Tensor]) -> float:
        self.steps += steps
        return self._descend(modules, steps, lambda _: loss())

    def _joint_loss(self) -> Tensor:
        return self._full_loss() + self.params.partial_weight * self._partial_loss()

    def _partial_loss(self) -> Tensor:
        losses = [self._loss(name, source) for name, source in self._partial.items()]
        return torch.stack(losses).mean()

    def _full_loss(self) -> Tensor:
        return self._loss(FULL, self._full)

    def _loss(self, name: str, source: PatchSource) -> Tensor:
        x, targets = source.draw(self.params.batch_size, self._generator)
        if self.params.augment:
            x, targets = changed(x, targets, source.images, self._generator, mirrors=self.learner.mirrors)
        return self.learner.branch_loss(name, x, targets)

    def _patches(self, data: TrainingSet) -> PatchSource:
        layout = self.learner.layout
        # Slices of volumes are drawn with their neighbours, which only the input has.
        context = layout.context if layout.by_slices else 0
        return PatchSource(data.x, data.targets, layout.patch, layout.images, context)


POLICIES: Mapping[str, Callable[[Run], float]] = {
    "monet": Run.monet,
    "scratch": Run.scratch,
    "finetune": Run.finetune,
    "pseudo": Run.pseudo,
    "frozen_random": Run.frozen_random,
    "frozen_pretrained": Run.frozen_pretrained,
}
"""What each policy does, by name."""


def decoders_of(learner: Learner) -> Segmenter:
    """The learner, which must have several decoders. Raises :class:`CapabilityError` otherwise."""
    if "decoders" not in learner.offers:
        raise CapabilityError(f"transfer must have a learner with decoders, but got one of {sorted(learner.offers)!r}.")
    found: Segmenter = learner  # type: ignore[assignment]
    return found


def build(params: TransferParams, context: TrainerContext) -> Transfer:  # noqa: ARG001
    """The trainer of a campaign."""
    return Transfer(params)
