"""One labeler on a file of samples: read, ask, write, draw. Answers are written even when asking is interrupted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from dataeff_al import registry
from dataeff_al.campaign.overrides import override
from dataeff_al.campaign.yaml_source import Source
from dataeff_al.errors import CapabilityError, DataError, SpecError
from dataeff_al.labeling.direct import check_callable, label_in_batches, label_of, remark, requests_for
from dataeff_al.labeling.npz_writing import label_arrays, sample_arrays
from dataeff_al.labeling.types import (
    Label,
    Labeler,
    LabelerContext,
    LabelFailure,
    Outcome,
    Plots,
    PlotsFailures,
    Request,
)
from dataeff_al.parts import PartSpec, read_part
from dataeff_al.registry import LabelerPlugin
from dataeff_al.report.answers import answer_picture
from dataeff_al.report.model import Case
from dataeff_al.samples.archive import write_arrays
from dataeff_al.samples.file_pool import file_pool
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import Sample, SampleSpec, TargetSpec
from dataeff_al.sentences import FindingsError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Say = Callable[[str], None]


@dataclass
class Answers:
    """What a labeler answered so far; ``outcomes`` is shorter than ``requests`` when asking was interrupted."""

    spec: SampleSpec
    target: TargetSpec
    requests: Sequence[Request]
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def samples(self) -> list[Sample]:
        """All samples of the file."""
        return [request.sample for request in self.requests]

    @property
    def labels(self) -> list[Label | None]:
        """A label or None for each sample."""
        given = [label_of(outcome, self.target) for outcome in self.outcomes]
        return given + [None] * (len(self.requests) - len(given))


def labeler_part(name: str, settings: Sequence[str]) -> PartSpec:
    """A labeler with parameters from ``key=value`` settings. Raises UnknownNameError, SpecError with every problem."""
    registry.get("labelers", name)
    given = override(Source({"kind": name}, {}), settings)
    try:
        return read_part("labelers", given.data)
    except FindingsError as error:
        raise SpecError([given.problem(finding) for finding in error.findings]) from None


def read_pool(part: PartSpec, path: Path) -> Pool:
    """The samples of a file: npz by the contract, or the labeler's own format. Raises DataError, CapabilityError."""
    plugin = cast(LabelerPlugin, part.plugin)
    if path.suffix.lower() != ".npz" and plugin.reader:
        return cast(Pool, plugin.read(part.params, path))
    if path.suffix.lower() != ".npz" and path.exists():
        raise CapabilityError(f"labeler {part.kind!r} reads npz files of samples, but got {path.name!r}.")
    return file_pool(path, answered="answers" in part.needs)


def prepare(part: PartSpec, pool: Pool, data_root: Path | None, seed: int) -> tuple[Labeler, Answers]:
    """The labeler and the questions for it. Raises what the labeler raises when it cannot work on such samples."""
    labeler: Labeler = part.build(LabelerContext(pool, Path.cwd(), data_root))
    check_callable(labeler)
    requests = requests_for(part, pool.read(pool.ids()), seed)
    return labeler, Answers(pool.spec, labeler.info.target, requests)


def ask_all(labeler: Labeler, answers: Answers, say: Say) -> None:
    """Ask about every sample; ``say`` is told one line for each that is not simply labelled."""
    for batch in label_in_batches(labeler, answers.requests):
        for request, outcome in batch:
            answers.outcomes.append(outcome)
            if text := remark(outcome):
                say(f"{request.sample.id}: {text}")


def check_writable(path: Path) -> None:
    """Raises DataError when no file can be written there: known before anything is paid for."""
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(f"the output must be a file in an existing folder, but got {str(path)!r}.")
    probe = path.with_name(f".{path.name}.probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(f"{str(path)!r} must be writable, but got {error.strerror!r}.") from error


def make_folder(path: Path) -> None:
    """Make a folder for pictures. Raises DataError when it cannot be one: known before anything is paid for."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"pictures must go to a folder, but got {str(path)!r} ({error.strerror}).") from error


def write_answers(path: Path, answers: Answers, *, with_samples: bool) -> None:
    """Labels under the contract's keys, in the order of the samples; those without one stand as missing answers."""
    arrays = sample_arrays(answers.spec, answers.samples)
    if with_samples and answers.target.name in arrays:
        raise CapabilityError(f"samples and labels must differ in name, but got {answers.target.name!r} for both.")
    if not with_samples:
        arrays = {key: arrays[key] for key in ("id", "group", "pixel_size_mm") if key in arrays}
    write_arrays(path, arrays | label_arrays(answers.target, answers.labels))


def draw_answers(folder: Path, labeler: Labeler, answers: Answers, most: int, say: Say) -> int:
    """A PNG for each of the first ``most`` answers that can be drawn; returns how many were.

    Labels can always be drawn, failures by labelers that draw them.
    """
    drawable = [row for row, outcome in enumerate(answers.outcomes) if _drawable(labeler, outcome)]
    drawn = 0
    for row in drawable[:most]:
        sample = answers.samples[row]
        path = folder / f"{row:04d}-{_UNSAFE.sub('_', sample.id)[:80]}.png"
        try:
            _draw(path, labeler, row, answers)
            drawn += 1
        except Exception as error:  # a plugin's drawing may fail in any way; the labels are safe by now
            say(f"{sample.id}: the picture must be drawable, but got {error!r}")
    return drawn


def _drawable(labeler: Labeler, outcome: Outcome) -> bool:
    return not isinstance(outcome, LabelFailure) or isinstance(labeler, PlotsFailures)


def _draw(path: Path, labeler: Labeler, row: int, answers: Answers) -> None:
    sample, outcome = answers.samples[row], answers.outcomes[row]
    label = label_of(outcome, answers.target)
    if isinstance(outcome, LabelFailure) and isinstance(labeler, PlotsFailures):
        labeler.plot_failure(sample, outcome, path)
    elif label is not None and isinstance(labeler, Plots):
        labeler.plot(sample, label, path)
    elif label is not None:
        path.write_bytes(answer_picture(_case(sample, label, answers.spec, answers.target)))


def _case(sample: Sample, label: Label, spec: SampleSpec, target: TargetSpec) -> Case:
    codes = [name for name, form in spec.fields.items() if form.kind == "codes"]
    shown = codes[0] if codes and target.kind == "field" else spec.input
    truth, form = np.asarray(label.target[target.name]), spec.fields[shown]
    if target.kind == "field" and label.valid is not None:
        truth = np.where(label.valid, truth, np.nan)
    return Case(
        id=str(sample.id),
        kind=target.kind,
        truth=truth,
        prediction=truth,
        error=0.0,
        unit=target.unit,
        classes=target.classes,
        channels=target.channels,
        image=np.asarray(sample.fields[shown]),
        image_kind=form.kind,
        image_classes=form.classes,
        pixel_size_mm=form.pixel_size_mm,
    )
