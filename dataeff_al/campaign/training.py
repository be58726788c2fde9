"""Fitting a model to what a task lists, whole or member by member; values are what the record keeps of a fit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dataeff_al.campaign.tasks import Task
from dataeff_al.campaign.training_fit import NOTE, training_fit
from dataeff_al.campaign.views import Desk
from dataeff_al.digests import Ref
from dataeff_al.errors import DataError
from dataeff_al.learners.protocol import Learner
from dataeff_al.trainers.protocol import CommitteeTrainer, FitReport
from dataeff_al.view import View

Values = Mapping[str, Any]


def trained(desk: Desk, task: Task) -> Values:
    """Fit a model."""
    view, previous, seed = _lesson(desk, task)
    return _checked(desk, task, desk.parts(task).trainer.fit(view, previous, seed))


def trained_member(desk: Desk, task: Task, number: int) -> Values:
    """Fit one member of a committee."""
    view, previous, seed = _lesson(desk, task)
    return _values(desk, task, _committee(desk, task).fit_member(view, previous, seed, number))


def assembled(desk: Desk, task: Task, members: Sequence[Ref]) -> Values:
    """The committee of members that were fitted before, in the order of their numbers."""
    return _checked(desk, task, _committee(desk, task).assemble([_report(desk, task, member) for member in members]))


def _lesson(desk: Desk, task: Task) -> tuple[View, Learner | None, int]:
    previous = desk.learner(task, task["previous"])
    return desk.view(task, previous), previous, desk.parts(task).seed("train", task["role"], task["round"])


def _committee(desk: Desk, task: Task) -> CommitteeTrainer:
    trainer: Any = desk.parts(task).trainer
    if not hasattr(trainer, "fit_member"):
        raise DataError(f"a trainer of several members must have fit_member and assemble, but got {trainer!r}.")
    committee: CommitteeTrainer = trainer
    return committee


def _checked(desk: Desk, task: Task, report: FitReport) -> Values:
    """A finished model, and how well it knows its own labels."""
    data, codec = desk.all_labelled(task["labelled"]), desk.parts(task).codec
    said = training_fit(desk.target(task), task["spec"]["stop"]["metric"], report.learner, codec, data)
    about = {NOTE: said} if said else {}
    return _values(desk, task, replace(report, notes={**report.notes, **about}))


def _values(desk: Desk, task: Task, report: FitReport) -> Values:
    return {
        "model": desk.blobs.put(report.learner.state()),
        "labels": len(task["labelled"]),
        "steps": report.steps,
        "loss": report.loss,
        "notes": dict(report.notes),
    }


def _report(desk: Desk, task: Task, member: Ref) -> FitReport:
    """A member as it was fitted; how long that took is told beside its result, which must not depend on it."""
    values = desk.json(member)
    learner = desk.learner(task, values["model"])
    assert learner is not None
    return FitReport(learner, values["steps"], values["loss"], 0.0, values["notes"])
