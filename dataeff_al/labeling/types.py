"""Requests, outcomes and the two protocols around a labeler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from dataeff_al.digests import Ref
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import Sample, TargetSpec

Effect = Literal["pure", "keyed", "queryable", "blind"]
"""What a repeated call costs: *pure* nothing, *keyed* nothing under the same key, *queryable* can be asked whether it
happened, *blind* may be paid twice and is therefore never repeated automatically."""


@dataclass(frozen=True)
class Times:
    """When a label was made, in seconds: ``queued_s`` before work began, ``work_s`` of work, ``cpu_s`` of processor."""

    queued_s: float = 0.0
    work_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Label:
    """An answer: named target arrays, a validity mask over them (None: valid everywhere), what it cost, and its times.

    ``valid`` broadcasts over the target's leading channel axis: ``([d,] h, w)`` bool for fields and masks.
    """

    target: Mapping[str, np.ndarray]
    valid: np.ndarray | None = None
    cost: int = 1
    times: Times = Times()
    confidence: float | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


FailureKind = Literal["infra", "timeout", "bad_label", "refused", "passed_on"]
"""Why there is no answer. *passed_on*: it is for those outside to give (:attr:`LabelerInfo.outside`)."""


@dataclass(frozen=True)
class LabelFailure:
    """No answer, and why. ``cost`` is what the failed try cost all the same."""

    reason: str
    kind: FailureKind = "refused"
    cost: int = 0


@dataclass(frozen=True)
class Deferred:
    """A draft that its maker is unsure of: pass it on to the next labeler, with the draft as a start."""

    draft: Label
    confidence: float
    reason: str = ""

    @property
    def cost(self) -> int:
        """What the draft cost."""
        return self.draft.cost


Outcome = Label | LabelFailure | Deferred


@dataclass(frozen=True)
class Request:
    """One question to a labeler. ``key`` is unique per attempt and stable over restarts; ``seed`` is for its use.

    ``measures``: the answer is what models are measured by, so that it must come from whoever is trusted most. Only
    labelers that offer ``measuring`` are told.
    """

    key: str
    sample: Sample
    fidelity: str = ""
    seed: int = 0
    draft: Label | None = None
    measures: bool = False


@dataclass(frozen=True)
class LabelerInfo:
    """What a labeler declares about itself. ``max_cost`` is reserved before an attempt, ``cost`` is what it posts.

    ``delivery``: queries are pushed to it, or it pulls them when it has time (people, outside programs). ``outside``:
    who pulls what this labeler passes on, with their own cost and time; what it defers, or fails to answer as
    *passed_on*, then waits for them. ``max_cost`` covers both.
    """

    name: str
    version: str
    target: TargetSpec
    effect: Effect
    deterministic: bool = True
    cost: int = 1
    max_cost: int = 1
    unit: str = "label"
    preferred_batch: int = 1
    timeout_s: float = 600.0
    fidelities: tuple[str, ...] = ()
    accepts_synthesised: bool = False
    delivery: Literal["push", "pull"] = "push"
    outside: LabelerInfo | None = None

    @property
    def most_lost(self) -> int:
        """The most that a call of which nothing came may have cost: nothing where a call is free."""
        called = self.max_cost - (self.outside.max_cost if self.outside else 0)
        return 0 if self.effect == "pure" else called


def answered_outside(info: LabelerInfo) -> LabelerInfo | None:
    """The declaration of those whom a campaign asks by ask and tell; None where every query is pushed to a labeler."""
    return info if info.delivery == "pull" else info.outside


@dataclass(frozen=True)
class LabelerContext:
    """What a labeler may use when it is built: the campaign's pool, the campaign file's folder, the shared data."""

    pool: Pool
    base_dir: Path
    data_root: Path | None


@runtime_checkable
class Labeler(Protocol):
    """What a plugin author writes: one small class. Answers do not depend on how requests are batched."""

    @property
    def info(self) -> LabelerInfo:
        """What it answers, at what cost."""

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """One outcome for each request, in order."""


@runtime_checkable
class Queryable(Labeler, Protocol):
    """A labeler that can say what became of an attempt."""

    def lookup(self, key: str) -> Outcome | None:
        """The outcome of the attempt of that key, or None when it may be asked again under that key: it never happened,
        or goes on and will be joined. Raises anything when nobody can say."""


@runtime_checkable
class Acknowledges(Labeler, Protocol):
    """A labeler that keeps outcomes until it hears that they are in safety."""

    def ack(self, keys: Sequence[str]) -> None:
        """The outcomes of these attempts are in the record. Must not wait for anything."""


@runtime_checkable
class Plots(Labeler, Protocol):
    """A labeler that can draw its answers itself."""

    def plot(self, sample: Sample, label: Label, path: Path) -> None:
        """Draw a sample with its label as PNG."""


@runtime_checkable
class PlotsFailures(Labeler, Protocol):
    """A labeler that can draw what it refused."""

    def plot_failure(self, sample: Sample, failure: LabelFailure, path: Path) -> None:
        """Draw a sample that has no label, with the reason, as PNG."""


@runtime_checkable
class Illustrates(Labeler, Protocol):
    """A labeler that chooses what a picture of an answer shows, or that there is none."""

    def illustrate(self, request: Request, outcome: Outcome, path: Path) -> bool:
        """Draw how an outcome came about as PNG; False when there is nothing to show."""


@dataclass(frozen=True)
class Running:
    """The host is at work on the attempt, or has it in its queue."""


@dataclass(frozen=True)
class Done:
    """The attempt has an outcome, kept in the blob ``outcome`` until it is acknowledged; and how long it took.

    ``picture``: the ref of a PNG of how the labeler came to it; few outcomes have one.
    """

    outcome: Ref
    times: Times = Times()
    picture: Ref | None = None


@dataclass(frozen=True)
class Unknown:
    """The host has no outcome and is not at work; ``started``: the labeler may have been called, ``reason``: why nobody
    knows what came of it."""

    started: bool
    reason: str = ""


Progress = Running | Done | Unknown


class LabelerHost(Protocol):
    """What the driver sees of a labeler, wherever it runs."""

    @property
    def info(self) -> LabelerInfo:
        """The hosted labeler's declaration."""

    @property
    def capacity(self) -> int:
        """How many attempts it takes at once."""

    def start(self, attempt: str, request: Ref) -> None:
        """Take on an attempt; idempotent. Raises UnavailableError when the host is gone: then nothing was begun."""

    def poll(self, attempts: Sequence[str]) -> Mapping[str, Progress]:
        """How each attempt stands."""

    def kept(self) -> Sequence[str]:
        """Attempts of earlier lives, of this campaign or another, that have not been acknowledged."""

    def ack(self, attempts: Sequence[str]) -> None:
        """The outcomes are in the record; the host may forget them."""

    def cancel(self, attempts: Sequence[str]) -> None:
        """Stop work where possible."""
