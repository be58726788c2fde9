"""Stacks of sections ``(d, h, w)``: each plane is solved for itself, the answers are put together again."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dataeff_al.labeling.types import Label, LabelFailure, Outcome, Request, Times
from dataeff_al.samples.types import Sample, SampleId


def planes(request: Request) -> list[Request]:
    """A request for each plane of the sample's mask, under keys and ids of their own."""
    return [_plane(request, place) for place in range(len(request.sample.fields["mask"]))]


def _plane(request: Request, place: int) -> Request:
    sample = request.sample
    fields = {**sample.fields, "mask": np.asarray(sample.fields["mask"])[place]}
    plane = Sample(SampleId(f"{sample.id}/z{place:03d}"), fields, sample.group)
    return replace(request, key=f"{request.key}-z{place:03d}", sample=plane)


def joined(outcomes: Sequence[Outcome], shape: tuple[int, ...]) -> Outcome:
    """One label ``(k, d, h, w)`` of the planes' labels; planes without one are NaN and not valid, and noted.

    A stack of which no plane has an answer is refused with the first plane's reason.
    """
    labels = {place: outcome for place, outcome in enumerate(outcomes) if isinstance(outcome, Label)}
    refused = {place: outcome for place, outcome in enumerate(outcomes) if isinstance(outcome, LabelFailure)}
    if not labels:
        return replace(refused[0], reason=f"all {len(outcomes)} planes: {refused[0].reason}")
    stress = np.full(shape, np.nan, np.float32)
    valid = np.zeros(shape[1:], dtype=bool)
    for place, label in labels.items():
        stress[:, place] = label.target["stress"]
        valid[place] = True if label.valid is None else label.valid
    times = [label.times for label in labels.values()]
    spent = Times(work_s=sum(t.work_s for t in times), cpu_s=sum(t.cpu_s for t in times))
    return Label({"stress": stress}, valid, times=spent, notes=_notes(labels, refused))


def _notes(labels: dict[int, Label], refused: dict[int, LabelFailure]) -> dict[str, str]:
    notes = {f"{name}_z{place:03d}": text for place, label in labels.items() for name, text in label.notes.items()}
    if refused:
        first = min(refused)
        notes["refused"] = f"{len(refused)} plane(s) have no answer, first plane {first}: {refused[first].reason}"
    return notes


def worst_plane(stress: np.ndarray) -> int:
    """The plane of ``(k, d, h, w)`` with the highest 99th percentile of its first channel."""
    peaks = [np.percentile(p[np.isfinite(p)], 99) if np.isfinite(p).any() else -np.inf for p in stress[0]]
    return int(np.argmax(peaks))
