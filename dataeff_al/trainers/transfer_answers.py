"""What a half-trained model may answer: pseudo-labels, and which decoder knows a structure better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.learners.segmenter import Segmenter
from dataeff_al.samples.anatomy import PARTIAL
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import Sample
from dataeff_al.trainers.standard import TrainingSet
from dataeff_al.view import Labelled


@dataclass(frozen=True)
class Judged:
    """A sample's input ``(1, c, ...)``, its truth in the campaign's codes ``(...)``, and where that is valid."""

    x: Tensor
    truth: np.ndarray
    valid: np.ndarray


def judged_fully(learner: Segmenter, codec: Codec, entries: Sequence[Labelled]) -> Iterator[Judged]:
    """Samples with a full annotation."""
    for entry in entries:
        truth = np.asarray(entry.label.target[learner.target_name])
        valid = True if entry.label.valid is None else entry.label.valid
        yield Judged(codec.soften([entry.sample]), truth, np.broadcast_to(valid, truth.shape))


def judged_in_part(learner: Segmenter, name: str, codec: Codec, samples: Sequence[Sample]) -> Iterator[Judged]:
    """Samples that a source has annotated."""
    kept = learner.sources[name]
    known = [learner.classes.index(each) if each in learner.classes else 0 for each in kept]
    lookup = np.array([0, *known, 0], np.uint8)
    for sample in samples:
        codes = sample.fields[PARTIAL + name]
        yield Judged(codec.soften([sample]), lookup[codes], codes <= len(kept))


def better_structures(learner: Segmenter, name: str, judged: Iterable[Judged]) -> list[str]:
    """Structures that a source's decoder segments better, by Dice over the judged samples, than the full one does."""
    kept, classes = learner.sources[name], learner.classes
    overlaps = {each: np.zeros((2, 3)) for each in kept if each in classes}
    for each in judged:
        full = learner.plain_probabilities(each.x).argmax(1)[0].numpy()
        own = learner.source_probabilities(name, each.x).argmax(1)[0].numpy()
        for structure, counts in overlaps.items():
            code, place = classes.index(structure), kept.index(structure) + 1
            here = (each.truth == code) & each.valid
            guesses = ((full == code) & each.valid, (own == place) & each.valid)
            counts += [[(here & guess).sum(), here.sum(), guess.sum()] for guess in guesses]
    return [each for each, counts in overlaps.items() if _dice(counts[1]) > _dice(counts[0])]


def _dice(counts: np.ndarray) -> float:
    both, true, predicted = counts
    return float(2 * both / max(true + predicted, 1.0))


def pseudo_labels(learner: Segmenter, x: Tensor, samples: Sequence[Sample]) -> TrainingSet:
    """The model's answers to samples ``(n, c, ...)`` without a full annotation, corrected by what partial ones say.

    Where a source names a structure, it is that; where it names none, the model must not: such places are not valid.
    """
    answers = torch.cat([learner.merged_codes(row[None]) for row in x])
    y, valid = corrected(learner, answers, samples)
    return TrainingSet(x, TargetBatch(y, valid))


def corrected(learner: Segmenter, answers: Tensor, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Answers ``(n, ...)`` in merged classes with partial annotations written over them, and where they are valid."""
    y, valid = answers.clone(), torch.ones_like(answers, dtype=torch.bool)
    said = {name: _said(name, samples) for name in learner.sources if any(PARTIAL + name in s.fields for s in samples)}
    for name, (rows, codes) in said.items():
        own = learner.merged_of(["", *learner.sources[name], ""])[codes]
        y[rows] = torch.where(own >= 0, own, y[rows])
    # What one source names is not held against it by what the model had answered there before.
    for name, (rows, codes) in said.items():
        valid[rows] &= ~((codes == 0) & torch.isin(y[rows], learner.merged_of(learner.sources[name])))
    return y, valid


def _said(name: str, samples: Sequence[Sample]) -> tuple[list[int], Tensor]:
    """The samples that carry a source's codes, and these, ``(rows, ...)`` int64."""
    rows = [row for row, sample in enumerate(samples) if PARTIAL + name in sample.fields]
    codes = [torch.from_numpy(samples[row].fields[PARTIAL + name].astype(np.int64)) for row in rows]
    return rows, torch.stack(codes)
