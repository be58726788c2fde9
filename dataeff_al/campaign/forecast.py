"""What a campaign will cost, roughly, before anything is bought: labels by account, and processor seconds by step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataeff_al.campaign.draft import Draft
from dataeff_al.campaign.money import Labels, amount, labels_of, max_cost
from dataeff_al.campaign.rounds import rounds_for
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.validate import pool_size
from dataeff_al.parts import PartSpec
from dataeff_al.registry import PoolPlugin

_LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Seconds:
    """Rough processor seconds on one core; None where a plugin does not say what it takes.

    ``labels``: of all that this paradigm has to buy; ``acquired``: of those alone that its sampler chooses.
    """

    generator: float | None
    search: float | None
    training: float | None
    labels: float | None
    acquired: float | None


@dataclass(frozen=True)
class Forecast:
    """One paradigm's labels and time, all rounds; ``cost`` is the most that its labels can cost in ``unit``.

    ``searches``: the sampler looks at models or latents; one that needs nothing costs no search.
    """

    name: str
    searches: bool
    unit: str
    labels: Labels
    rounds: int
    cost: int
    evaluation_cost: int
    seconds: Seconds

    @property
    def warning(self) -> str:
        """A sentence when choosing samples takes longer than labelling all that is chosen, else nothing."""
        chosen = [part for part in (self.seconds.generator, self.seconds.search) if part is not None]
        if not self.searches or not self.labels.acquired:
            return ""
        if self.seconds.acquired is None or sum(chosen) <= self.seconds.acquired:
            return ""
        return (
            f"search would cost more than labels: choosing {self.labels.acquired} samples takes about "
            f"{duration(sum(chosen))}, labelling them {duration(self.seconds.acquired)}; "
            "choosing pays for labels that are dearer than these."
        )

    def as_json(self) -> dict[str, Any]:
        """The forecast for scripts."""
        return {
            "name": self.name,
            "labels": {**vars(self.labels), "evaluation": self.labels.evaluation},
            "rounds": self.rounds,
            "cost": {"unit": self.unit, "queries": self.cost, "evaluation": self.evaluation_cost},
            "seconds": dict(vars(self.seconds)),
            "warning": self.warning,
        }


def forecast(spec: CampaignSpec, base_dir: Path, data_root: Path | None = None) -> list[Forecast]:
    """The campaign's forecast and then each twin's, of one repeat.

    Twins take over the initial and the evaluation labels; the initial ones are charged to their own budget all the
    same. A generator that several of them have is fitted once, for the first.
    """
    size = pool_size(spec.pool, base_dir, data_root)
    found, fitted = list[Forecast](), list[PartSpec | None]()
    for number, each in enumerate([spec, *(spec.paradigm(i) for i in range(len(spec.compare)))]):
        found.append(_one(each, size, shared=number > 0, fits_generator=each.generator not in fitted))
        fitted.append(each.generator)
    return found


def _one(spec: CampaignSpec, size: int | None, *, shared: bool, fits_generator: bool) -> Forecast:
    labels = labels_of(Draft.of(spec), size)
    assert labels is not None
    rounds = rounds_for(labels.acquired, spec.budget.per_round, spec.budget.growth or 0.0, labels.initial)
    each = max_cost(spec.labeler)
    return Forecast(
        name=spec.name,
        searches=bool(spec.sampler.needs),
        unit=spec.budget.unit,
        labels=labels,
        rounds=rounds,
        cost=min((labels.initial + labels.acquired) * each, spec.budget.total),
        evaluation_cost=labels.evaluation * each,
        seconds=_seconds(spec, labels, rounds, shared, fits_generator),
    )


def _seconds(spec: CampaignSpec, labels: Labels, rounds: int, shared: bool, fits_generator: bool) -> Seconds:
    before = 0 if shared else labels.initial + labels.evaluation
    fits = rounds + 1 + (spec.evaluation.reference != 0 and not shared)
    return Seconds(
        generator=spec.generator.seconds if spec.generator and fits_generator else 0.0,
        search=_times(rounds, spec.sampler.seconds),
        training=_times(fits * _larger(spec), spec.trainer.seconds),
        labels=_times(labels.acquired + before, spec.labeler.seconds),
        acquired=_times(labels.acquired, spec.labeler.seconds),
    )


def _larger(spec: CampaignSpec) -> float:
    """How much more a fit takes than the trainer says, by the size of a sample; 1 where that is not known.

    What is small takes its time as well: never less than a tenth.
    """
    pool, points = spec.pool.plugin, spec.trainer.plugin.seconds_points
    own = pool.points(spec.pool.params) if isinstance(pool, PoolPlugin) else None
    return 1.0 if own is None or points is None else max(own / points, _LEAST_SHARE)


def _times(count: float, seconds: float | None) -> float | None:
    return None if seconds is None else count * seconds


def lines(forecasts: list[Forecast], repeats: int = 1) -> list[str]:
    """The forecasts as text for people."""
    text = [_labels_line(forecasts[0])]
    for each in forecasts:
        text.append(_time_line(each))
        if each.warning:
            text.append(f"  {each.warning}")
    if repeats > 1:
        text.append(f"All of this {repeats} times, for {repeats} seeds.")
    return text


def _labels_line(first: Forecast) -> str:
    labels = first.labels
    reference = " + the whole pool as reference" if labels.reference is None else f" + {labels.reference} reference"
    shown = "" if labels.reference == 0 else reference
    return (
        f"Labels: {labels.initial} initial + {labels.acquired} chosen in {first.rounds} rounds, at most "
        f"{amount(first.cost, first.unit)} from the budget; to measure, {labels.validation} validation + "
        f"{labels.test} test{shown}, at most {amount(first.evaluation_cost, first.unit)} beside it."
    )


def _time_line(each: Forecast) -> str:
    seconds = each.seconds
    return (
        f"{each.name}: about {duration(seconds.labels)} of labelling, {duration(seconds.generator)} for the generator, "
        f"{duration(seconds.search)} of search, {duration(seconds.training)} of training (one core)."
    )


def duration(seconds: float | None) -> str:
    """``90.0`` as ``1.5 min``; None as ``an unknown time``."""
    if seconds is None:
        return "an unknown time"
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"
