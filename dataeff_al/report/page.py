"""One self-contained HTML page: pictures as data URIs, style inside, no script, nothing fetched from anywhere.

Names, reasons and YAML come from users and labelers: every value passes Jinja's autoescape, and a content security
policy forbids whatever would slip through.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from dataeff_al.report.curves import by_name, labels_needed, mean_points
from dataeff_al.report.model import PHASES, AnswerPicture, RunReport
from dataeff_al.report.style import number

MOST_FAILURES, MOST_NOTES, MOST_ANSWERS, LONGEST_TEXT = 50, 50, 9, 500


@dataclass(frozen=True)
class Picture:
    """A figure in the page: its data URI, what it shows for readers who cannot see it, and its caption."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class CurveRow:
    """One row of the table of rounds, already in words."""

    name: str
    round: int
    labels: int
    validation: str
    test: str
    seconds: str


_CAPTIONS: Mapping[str, tuple[str, str]] = {
    "learning_curves": (
        "Learning curves: the target metric on the test split against the labels in the training set.",
        "Solid: test split. Dashed: validation split, which stopping may see; the test split decides nothing.",
    ),
    "other_metrics": (
        "Further test metrics against the labels in the training set.",
        "Other metrics on the test split.",
    ),
    "latent_map": (
        "Map of the latent space with pool, labelled samples by round, and the walkers' trajectories.",
        "The pool as the generator sees it, flattened to the two directions in which it varies most.",
    ),
    "best_predictions": (
        "The best predictions of the final model beside the truth.",
        "The test samples with the smallest errors.",
    ),
    "worst_predictions": (
        "The worst predictions of the final model beside the truth.",
        "The test samples with the largest errors.",
    ),
    "stages": (
        "What each stage of the final model answers, beside the truth.",
        "The test sample that is most wrong: the answer of every stage or decoder of the final model, and the truth.",
    ),
    "structures": (
        "Box plots of the test Dice of every structure, by group and by paradigm.",
        "Test Dice of every structure, by group: the final model of this campaign beside its twins' final models.",
    ),
    "time": (
        "Seconds per round by phase.",
        "Time per round. Own overhead is everything but proposing, labelling, training and evaluating.",
    ),
    "cost": (
        "Where the budget went.",
        "Spent, wasted and reserved share the budget; evaluation and extra lie outside.",
    ),
}

_COST_WORDS = (
    ("budget", "granted for queries"),
    ("spent", "paid for labels that arrived"),
    ("reserved", "held for labels under way"),
    ("wasted", "paid without a usable label"),
    ("evaluation", "paid for validation and test labels"),
    ("extra", "late answers, outside the budget"),
)


@cache
def _template() -> Template:
    source = (files("dataeff_al.report") / "template.html").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    return environment.from_string(source)


def render(report: RunReport, images: Mapping[str, bytes]) -> str:
    """The page as text; ``images`` are PNG bytes by figure name."""
    return _template().render(
        report=report,
        pictures={name: _picture(name, image) for name, image in images.items()},
        answers=[_answer(each) for each in report.answers[:MOST_ANSWERS]],
        figures=key_figures(report),
        rows=_rows(report),
        cost_rows=[(name, getattr(report.cost, name), words) for name, words in _COST_WORDS],
        time_rows=_time_rows(report),
        failures=[(each.sample, each.kind, _short(each.reason)) for each in report.failures[:MOST_FAILURES]],
        more_failures=max(0, len(report.failures) - MOST_FAILURES),
        notes=[_short(note) for note in report.notes[:MOST_NOTES]],
    )


def key_figures(report: RunReport) -> list[tuple[str, str, str]]:
    """``(title, figure, small print)`` of the cards at the top."""
    cards = [
        _metric_card(report),
        ("Labels", f"{report.labels.total:,}", f"{report.labels.initial:,} to start, {report.labels.bought:,} bought"),
        ("Spent", f"{report.cost.spent:,} / {report.cost.budget:,}", f"of the budget, unit: {report.cost.unit}"),
    ]
    if report.savings:
        cards.insert(1, _saving_card(report))
    seconds = sum(sum(each.seconds.values()) for curve in report.curves[:1] for each in curve.rounds)
    return [*cards, ("Time", _duration(seconds), f"{_count(report)}, own campaign")] if seconds > 0 else cards


def _count(report: RunReport) -> str:
    rounds = len(report.curves[0].rounds)
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def _metric_card(report: RunReport) -> tuple[str, str, str]:
    first = next(iter(by_name(report.curves).values()), [])
    found = mean_points(first, report.target.metric) if first else []
    unit = f" {report.target.unit}" if report.target.unit else ""
    value = f"{number(found[-1][1])}{unit}" if found else "–"
    if report.target.value is None:
        return (f"Test {report.target.metric}", value, "no target set")
    needed = labels_needed(report, first) if first else None
    words = "not reached" if needed is None else f"reached at {needed:,} labels"
    return (f"Test {report.target.metric}", value, f"target {number(report.target.value)}{unit}, {words}")


def _saving_card(report: RunReport) -> tuple[str, str, str]:
    saving = report.savings[0]
    if saving.factor is not None:
        return (
            f"Against {saving.against}",
            f"×{number(saving.factor)}",
            "labels saved" if saving.factor > 1 else "not better",
        )
    if saving.at_least is not None and saving.at_least > 1:
        return (
            f"Against {saving.against}",
            f"≥ ×{number(saving.at_least)}",
            f"{saving.against} did not reach the target",
        )
    return (f"Against {saving.against}", "–", "not better" if saving.at_most is not None else "not decided")


def _picture(name: str, image: bytes) -> Picture:
    return Picture(_uri(image), *_CAPTIONS[name])


def _answer(answer: AnswerPicture) -> Picture:
    said = _short(f"{answer.sample}: {answer.words}")
    return Picture(_uri(answer.png), f"How the labeler came to its answer. {said}", said)


def _uri(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


def _rows(report: RunReport) -> list[CurveRow]:
    """All rounds of all curves; seeds are named where there are repeats."""
    repeated = len(by_name(report.curves)) < len(report.curves)
    metric = report.target.metric
    return [
        CurveRow(
            f"{curve.name} (seed {curve.seed})" if repeated else curve.name,
            each.round,
            each.labels,
            _aligned(each.validation.get(metric, math.nan)),
            _aligned(each.test.get(metric, math.nan)),
            _duration(sum(each.seconds.values())),
        )
        for curve in report.curves
        for each in curve.rounds
    ]


def _aligned(value: float) -> str:
    """Three significant digits with their zeros, for columns of figures."""
    return f"{value:#.3g}".rstrip(".") if 1e-3 <= abs(value) < 1000 else number(value)


def _time_rows(report: RunReport) -> list[tuple[str, str, str]]:
    """``(phase, seconds, share)`` over the campaign's own rounds; empty when nothing was timed."""
    rounds = report.curves[0].rounds if report.curves else ()
    totals = {phase: sum(float(each.seconds.get(phase, 0.0)) for each in rounds) for phase in PHASES}
    whole = sum(totals.values())
    return [(phase, f"{value:.1f}", f"{value / whole:.1%}") for phase, value in totals.items()] if whole > 0 else []


def _duration(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
