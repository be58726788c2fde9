"""Which kills are tried: every point that a campaign passes, recovery itself, and random ones."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.killing.campaigns import VARIANTS
from benchmarks.killing.hand import BrokenPromiseError, Kill
from benchmarks.killing.trial import Arena, Trial

OCCURRENCES = 2
MOST_KILLS = 4
STAGES = (
    "proposed.after",
    "leased.after",
    "dispatch.after",
    "spool.started.durable",
    "label.after",
    "spool.done.durable",
    "told.before",
    "told.after",
    "ack.after",
    "trained.before",
)
"""Where a campaign is killed before its recovery is killed, too."""


@dataclass
class Tally:
    """What many trials came to: ``unreached`` trials ended before their kill came."""

    trials: int = 0
    kills: int = 0
    unreached: int = 0
    points: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, name: str, trial: Trial) -> None:
        """Count a trial of a campaign."""
        self.trials += 1
        self.kills += len(trial.kills)
        self.unreached += not trial.kills
        self.points.update(kill.partition(":")[0] for kill in trial.kills if not kill.endswith(" s"))
        self.violations.extend(f"{name} killed at {', '.join(trial.kills)}: {what}" for what in trial.violations)

    def join(self, other: "Tally") -> None:
        """Count another tally in."""
        self.trials += other.trials
        self.kills += other.kills
        self.unreached += other.unreached
        self.points.update(other.points)
        self.violations.extend(other.violations)

    def as_json(self) -> dict[str, Any]:
        """The tally as plain data."""
        return {
            "trials": self.trials,
            "kills": self.kills,
            "unreached": self.unreached,
            "points": dict(sorted(self.points.items())),
            "violations": list(self.violations),
        }


def at_every_point(arena: Arena, name: str, occurrences: int = OCCURRENCES) -> Iterator[list[Kill]]:
    """Every point that the campaign passes, the first and the second time that it does."""
    for point, count in sorted(arena.undisturbed(name).passed.items()):
        for occurrence in range(1, min(count, occurrences) + 1):
            yield [Kill(f"{point}:{occurrence}")]


def in_recovery(arena: Arena, name: str, steps: Sequence[int]) -> Iterator[list[Kill]]:
    """A kill in every stage, and then one at the n-th point that whoever goes on passes."""
    passed = arena.undisturbed(name).passed
    for stage in STAGES:
        if stage in passed:
            yield from ([Kill(stage), Kill(f"any:{step}")] for step in steps)


def at_random(arena: Arena, name: str, rng: random.Random) -> list[Kill]:
    """One to four kills one after the other, each at a random time or at a random point."""
    return [_random_kill(arena, name, rng) for _ in range(rng.randint(1, MOST_KILLS))]


def _random_kill(arena: Arena, name: str, rng: random.Random) -> Kill:
    known = arena.undisturbed(name)
    command = rng.randrange(len(known.seconds))
    if rng.random() < 0.5:
        return Kill(after_s=rng.uniform(0.0, known.seconds[command]))
    return Kill(f"any:{rng.randint(1, max(len(known.traces[command]), 1))}")


def tried(arena: Arena, name: str, cases: Iterator[list[Kill]]) -> Tally:
    """All cases of one campaign."""
    tally = Tally()
    try:
        for kills in cases:
            tally.add(name, arena.trial(name, kills))
    except BrokenPromiseError as error:
        tally.violations.append(f"{name} undisturbed: {error}")
    return tally


def tried_at_random(arena: Arena, kills: int, seed: int, names: Sequence[str] = tuple(VARIANTS)) -> Tally:
    """Random kills of random campaigns until so many have come."""
    rng, tally = random.Random(seed), Tally()
    while tally.kills < kills:
        name = rng.choice(names)
        tally.add(name, arena.trial(name, at_random(arena, name, rng)))
    return tally
