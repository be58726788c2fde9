"""Everything a report shows, as plain data: filled by the composition root, read by the figures and the page.

Nothing here knows how a campaign runs. Whatever a run does not have is None or empty, and its section says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dataeff_al.efficiency import Saving

PHASES = ("propose", "label", "train", "evaluate", "own")
"""The keys of :attr:`Round.seconds`, in the order in which they are stacked."""


@dataclass(frozen=True)
class Target:
    """What the campaign aims at; ``value`` None: no target was set. ``unit``: the metric's, empty for pure numbers."""

    metric: str
    value: float | None
    more_is_better: bool
    unit: str = ""


@dataclass(frozen=True)
class Round:
    """One round: labels in the training set, metrics on the two splits (NaN or absent: unknown), seconds by phase, and
    which strategy chose, where a sampler has several."""

    round: int
    labels: int
    validation: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    regime: str = ""


@dataclass(frozen=True)
class Curve:
    """The rounds of one campaign. Curves of one ``name`` are repeats of it under different seeds."""

    name: str
    rounds: Sequence[Round]
    seed: int = 0


@dataclass(frozen=True)
class LabelCount:
    """Labels in the training set: owned or bought at the start, bought by queries, and together."""

    initial: int
    bought: int
    total: int


@dataclass(frozen=True)
class Cost:
    """The budget's account, integers in ``unit``. ``spent + wasted + reserved <= budget``; the rest lies outside it."""

    unit: str
    budget: int
    spent: int
    reserved: int
    wasted: int
    evaluation: int
    extra: int


@dataclass(frozen=True)
class LatentMap:
    """The data manifold in two dimensions.

    ``pool`` ``(n, 2)``; ``labelled`` ``(m, 2)`` with the ``rounds`` ``(m,)`` int that bought them and ``synthesised``
    ``(m,)`` bool; ``paths``: walkers' trajectories ``(steps + 1, 2)``; ``names``: the labelled samples' classes, none
    where the target has no classes. See :func:`dataeff_al.report.latent.project`.
    """

    pool: np.ndarray
    labelled: np.ndarray
    rounds: np.ndarray
    synthesised: np.ndarray
    paths: Sequence[np.ndarray] = ()
    axes: tuple[str, str] = ("first component", "second component")
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    """One test sample with its truth and prediction.

    ``image``: what the model saw: intensities ``(c, [d,] h, w)``, codes ``([d,] h, w)`` or a table row ``(d,)``, as
    ``image_kind`` says. ``truth`` and ``prediction`` by ``kind``: a code and probabilities ``(k,)``; masks of codes
    ``([d,] h, w)``; fields ``(k, [d,] h, w)`` in ``unit`` with NaN where not valid; values ``(k,)``. ``stages``: masks
    of what a model of several stages answered at each, by name.
    """

    id: str
    kind: Literal["class", "mask", "field", "values"]
    truth: np.ndarray
    prediction: np.ndarray
    error: float
    error_name: str = "error"
    unit: str = ""
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    image: np.ndarray | None = None
    image_kind: Literal["intensity", "codes", "values"] = "intensity"
    image_classes: tuple[str, ...] = ()
    pixel_size_mm: float | None = None
    stages: Sequence[tuple[str, np.ndarray]] = ()


@dataclass(frozen=True)
class Failure:
    """A label that was never had: the sample, what kind of failure (``refused``, ``timeout``, ...), and the reason."""

    sample: str
    kind: str
    reason: str


@dataclass(frozen=True)
class AnswerPicture:
    """How a labeler came to an answer, drawn by itself: the ``sample``, what came of it in ``words``, PNG bytes."""

    sample: str
    words: str
    png: bytes


@dataclass(frozen=True)
class RunReport:
    """One run. ``curves``: the campaign's own first, then its twins. ``outcome``: one sentence.

    ``reference``: test metrics of a model trained on the whole labelled pool, or None when none was trained.
    ``savings``: one per twin; ``best`` and ``worst``: test cases, best and worst first. ``structures``: the names of a
    mask's structures by group, for the figure of each one's overlap; empty where there are few. ``answers``: pictures
    that the labeler drew of some of its answers.
    """

    name: str
    seed: int
    target: Target
    reached: bool | None
    outcome: str
    labels: LabelCount
    cost: Cost
    curves: Sequence[Curve]
    spec_yaml: str = ""
    reference: Mapping[str, float] | None = None
    reference_labels: int | None = None
    savings: Sequence[Saving] = ()
    latent_map: LatentMap | None = None
    best: Sequence[Case] = ()
    worst: Sequence[Case] = ()
    structures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answers: Sequence[AnswerPicture] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
