"""What a model is judged by: a few named figures, each with one definition, computed over a whole split at once.

Pixels count where :attr:`Label.valid <dataeff_al.labeling.types.Label>` says so and the truth is not NaN. No figure is
ever NaN: one that the split does not define is left out by :func:`evaluate`, and :func:`score` says why. That happens
to ``nmse`` when the truth does not vary, to ``dice`` and ``sensitivity`` when the truth holds no foreground, and to
``dice/<class>`` when the truth holds nothing of that class.

Dice and sensitivity pool the pixels of all samples of the split before they divide, so that a sample without a class
neither helps nor hurts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from dataeff_al.errors import CapabilityError, DataError, UnknownNameError
from dataeff_al.labeling.types import Label
from dataeff_al.registry import nearest
from dataeff_al.samples.types import TargetSpec
from dataeff_al.scored_split import Split, check_shape, split_of, truth_of

TargetKind = Literal["class", "mask", "field", "values"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A named figure. ``compute`` returns it under ``name``, with ``name/<class>`` beside it when ``per_class``."""

    name: str
    summary: str
    more_is_better: bool
    kinds: frozenset[TargetKind]
    compute: Callable[[Split], dict[str, float]]
    undefined: str = ""
    per_class: bool = False

    def unit(self, target: TargetSpec) -> str:
        """The unit that the figure is in; empty for a pure number."""
        return target.unit if self.name in _IN_TARGET_UNIT else ""


_IN_TARGET_UNIT = frozenset({"rmse", "rmse_kpa", "p99_kpa"})


def _accuracy(split: Split) -> dict[str, float]:
    return {"accuracy": float(np.mean(split.truth == split.prediction))}


Overlap = Callable[[float, float, float], float]


def _by_class(name: str, split: Split, measure: Overlap) -> dict[str, float]:
    """Mean over the foreground classes that the truth holds, each of them, each region as one class, and the mean over
    each group; nothing when the truth holds no foreground.

    ``measure``: from the places that are both predicted and true, those that are true, and those that are predicted.
    """
    counts = split.confusion()
    true, predicted = counts.sum(1), counts.sum(0)
    each = {
        split.classes[code]: measure(counts[code, code], true[code], predicted[code])
        for code in range(1, len(split.classes))
        if true[code]
    }
    if not each:
        return {}
    found = {name: float(np.mean(list(each.values()))), **{f"{name}/{label}": value for label, value in each.items()}}
    for region, members in split.regions:
        codes = [split.classes.index(member) for member in members]
        if true[codes].sum():
            both = counts[np.ix_(codes, codes)].sum()
            found[f"{name}/{region}"] = measure(both, true[codes].sum(), predicted[codes].sum())
    for group, members in split.groups:
        if known := [each[member] for member in members if member in each]:
            found[f"{name}/{group}"] = float(np.mean(known))
    return found


def _dice(split: Split) -> dict[str, float]:
    return _by_class("dice", split, lambda both, true, predicted: float(2 * both / (true + predicted)))


def _sensitivity(split: Split) -> dict[str, float]:
    return _by_class("sensitivity", split, lambda both, true, _: float(both / true))


def _mean_square(split: Split) -> float:
    return float(np.mean((split.prediction - split.truth) ** 2))


def _nmse(split: Split) -> dict[str, float]:
    return {"nmse": _mean_square(split) / split.variance} if split.variance > 0 else {}


def _p99(split: Split) -> dict[str, float]:
    return {"p99_kpa": float(np.percentile(np.abs(split.prediction - split.truth), 99))}


_FOREGROUND = "the truth of the split must hold the class (or, for the mean, any class but code 0)"

_ALL = (
    Metric(
        name="accuracy",
        summary="share of samples whose likeliest class is the true one",
        more_is_better=True,
        kinds=frozenset({"class"}),
        compute=_accuracy,
    ),
    Metric(
        name="dice",
        summary="2 |P and T| / (|P| + |T|), mean over the foreground classes that the truth holds",
        more_is_better=True,
        kinds=frozenset({"mask"}),
        compute=_dice,
        undefined=_FOREGROUND,
        per_class=True,
    ),
    Metric(
        name="sensitivity",
        summary="|P and T| / |T|, mean over the foreground classes that the truth holds",
        more_is_better=True,
        kinds=frozenset({"mask"}),
        compute=_sensitivity,
        undefined=_FOREGROUND,
        per_class=True,
    ),
    Metric(
        name="nmse",
        summary="mean squared error / variance of the truth: 0 is perfect, 1 no better than a constant",
        more_is_better=False,
        kinds=frozenset({"field", "values"}),
        compute=_nmse,
        undefined="the truth of the split must vary",
    ),
    Metric(
        name="rmse_kpa",
        summary="root mean squared error in the target's unit",
        more_is_better=False,
        kinds=frozenset({"field"}),
        compute=lambda split: {"rmse_kpa": _mean_square(split) ** 0.5},
    ),
    Metric(
        name="p99_kpa",
        summary="99th percentile of the absolute error in the target's unit",
        more_is_better=False,
        kinds=frozenset({"field"}),
        compute=_p99,
    ),
    Metric(
        name="rmse",
        summary="root mean squared error in the target's unit",
        more_is_better=False,
        kinds=frozenset({"values"}),
        compute=lambda split: {"rmse": _mean_square(split) ** 0.5},
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric by name, in the order in which they are shown."""


def find(name: str) -> Metric:
    """The metric of that name; ``dice/lipid`` finds ``dice``. Raises :class:`UnknownNameError` with the nearest one."""
    base, slash, _ = name.partition("/")
    if base in METRICS and (not slash or METRICS[base].per_class):
        return METRICS[base]
    raise UnknownNameError("metric", name, list(METRICS), nearest(base, list(METRICS)))


def check_fits(name: str, target: TargetSpec) -> Metric:
    """The metric of that name if the target has it.

    Raises :class:`UnknownNameError` on an unknown metric or class, :class:`CapabilityError` when the metric does not
    apply to this kind of target.
    """
    metric = find(name)
    if target.kind not in metric.kinds:
        fitting = ", ".join(other.name for other in METRICS.values() if target.kind in other.kinds)
        raise CapabilityError(f"the metric of a {target.kind} target must be one of {fitting}, but got {name!r}.")
    _, slash, label = name.partition("/")
    parts = [*target.classes[1:], *(region for region, _ in (*target.regions, *target.groups))]
    if slash and label not in parts:
        known = [f"{metric.name}/{known}" for known in parts]
        raise UnknownNameError("metric", name, known, nearest(name, known))
    return metric


def evaluate(target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> dict[str, float]:
    """Every metric that applies to the target and that the split defines; all finite.

    Args:
        target: The declared form of the labels.
        prediction: Class probabilities ``(n, k)`` or ``(n, k, [d,] h, w)``, or values ``(n, *target.shape)`` in the
            target's unit.
        labels: The ``n`` labels, in the order of the rows of ``prediction``.

    Raises:
        DataError: Shapes do not fit, a label breaks the target's spec, nothing is valid, or a prediction is not finite
            where the truth is valid.
    """
    split = split_of(target, prediction, labels)
    found: dict[str, float] = {}
    for metric in METRICS.values():
        if target.kind in metric.kinds:
            found |= metric.compute(split)
    return found


def score(name: str, target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> float:
    """One metric; arguments as for :func:`evaluate`.

    Raises:
        UnknownNameError, CapabilityError: As :func:`check_fits`.
        DataError: As :func:`evaluate`, and when the split does not define the metric.
    """
    metric = check_fits(name, target)
    found = metric.compute(split_of(target, prediction, labels))
    if name not in found:
        raise DataError(f"for the metric {name!r} {metric.undefined}, but got {len(labels)} labels where it does not.")
    return found[name]


def sample_errors(target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> np.ndarray:
    """How wrong each sample is, ``(n,)`` float64, for finding the best and the worst; see :data:`SAMPLE_ERROR`.

    A sample without any valid entry gets NaN. Arguments and errors as for :func:`evaluate`.
    """
    check_shape(target, prediction, labels)
    rows = (_sample_error(target, prediction[i : i + 1], labels[i : i + 1]) for i in range(len(labels)))
    return np.fromiter(rows, dtype=np.float64, count=len(labels))


SAMPLE_ERROR: Mapping[TargetKind, str] = MappingProxyType(
    {
        "class": "1 - probability of the true class",
        "mask": "1 - mean Dice",
        "field": "root mean squared error",
        "values": "root mean squared error",
    }
)
"""What :func:`sample_errors` returns, in words, by kind of target."""


def _sample_error(target: TargetSpec, prediction: np.ndarray, labels: Sequence[Label]) -> float:
    if not truth_of(target, labels)[1].any():
        return float("nan")
    split = split_of(target, prediction, labels)
    if target.kind == "class":
        return float(1 - prediction[0, split.truth[0]])
    if target.kind == "mask":
        return _dice_error(split)
    return _mean_square(split) ** 0.5


def _dice_error(split: Split) -> float:
    """1 - mean Dice over the foreground classes in truth or prediction; 0 where both hold background alone."""
    counts = split.confusion()
    total = (counts.sum(0) + counts.sum(1))[1:]
    each = 2 * np.diag(counts)[1:][total > 0] / total[total > 0]
    return float(1 - each.mean()) if each.size else 0.0
