"""A campaign in a notebook or a script: run it, or answer its queries by hand.

::

    from dataeff_al import Campaign

    result = Campaign("digits.yaml").run()
    result.report                               # runs/digits/report.html
    result.model(x).argmax(axis=1)

    with Campaign("contours.yaml") as campaign:     # labeler: {kind: external, ...}
        for attempt, sample in campaign.ask(5):
            campaign.tell({attempt: draw(sample.fields["x"])})
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from dataeff_al.campaign.given import Given, read_campaign, use_plugins
from dataeff_al.campaign.hosts import InlineHosts
from dataeff_al.campaign.outcome import write_outcome
from dataeff_al.campaign.predicting import RunModel
from dataeff_al.campaign.questions import Question, Told, lease, leased, tell, write_questions
from dataeff_al.campaign.run_folder import RunFolder, begin_folder, states_of
from dataeff_al.campaign.session import Observe, Session
from dataeff_al.campaign.standing import Standing, standing, status_of
from dataeff_al.campaign.state import State
from dataeff_al.errors import CapabilityError, StateError
from dataeff_al.events import Event
from dataeff_al.labeling.npz_labels import read_labels
from dataeff_al.labeling.types import Labeler, LabelerInfo, answered_outside
from dataeff_al.registry import Plugin
from dataeff_al.samples.types import TargetSpec
from dataeff_al.stores.open import RECORD
from dataeff_al.stores.protocol import Store


def _silent(_state: State, _events: Sequence[Event]) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Result:
    """What a run left: ``summary`` as in ``summary.json``, ``status`` in a word, the folder with everything else."""

    folder: Path
    status: str
    summary: Mapping[str, Any]
    data_root: Path | None = None

    @property
    def report(self) -> Path:
        """The report. Raises StateError before the first round was evaluated."""
        path = self.folder / "report.html"
        if not path.is_file():
            raise StateError(f"a report needs an evaluated round, but got a campaign that is {self.status}.")
        return path

    @cached_property
    def model(self) -> RunModel:
        """The trained model, to be called with arrays. Raises NotFoundError before the first one."""
        return RunModel.load(RunFolder(self.folder), self.data_root)


class Campaign:
    """One campaign in a run folder, driven in this process.

    Every call takes the folder's record, does its work and lets go, so that a crash or another process in between does
    no harm; as a context manager it holds the record, which makes many small calls faster. Calls block.

    Args:
        given: a file, YAML text, plain data, a CampaignSpec, or the folder of a run to go on with.
        out: the run folder; ``runs/NAME`` by default. A folder that holds this campaign is gone on with.
        data_root: the folder of shared real data sets, for campaigns that read them.
        plugins: plugins, or Python files that define some.
        observe: told ``(state, events)`` of everything that becomes part of the record.

    Raises:
        SpecError: with every broken rule of the description.
        ConflictError: when the folder holds another campaign.
    """

    def __init__(
        self,
        given: Given,
        out: str | Path | None = None,
        data_root: str | Path | None = None,
        plugins: Iterable[Plugin | str | Path] = (),
        observe: Observe = _silent,
    ) -> None:
        use_plugins(plugins)
        root = Path(data_root).resolve() if data_root is not None else None
        self.spec, self._place = read_campaign(given, out, root)
        begin_folder(self._place, self.spec)
        self._observe = observe
        self._store: Store | None = None
        self._held, self._working = ExitStack(), ExitStack()
        self._made: InlineHosts | None = None
        self._written: object = None
        self._summary: Mapping[str, Any] = {}

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._place.folder

    @property
    def target(self) -> TargetSpec:
        """The form of the labels."""
        return self._labeler.info.target

    @property
    def instructions(self) -> str:
        """What those who answer should read first."""
        return str(getattr(self._labeler, "instructions", ""))

    @property
    def status(self) -> Standing:
        """How the campaign stands, read from the record."""
        return standing(self.spec.name, self.spec.budget.unit, self._states())

    def run(self) -> Result:
        """Go on to the end, or as far as possible without answers from outside.

        Raises StateError when the campaign stopped because of an error; after mending, call it again.
        """
        with self._record() as store:
            states, summary = self._drive(store, resume=True)
        return Result(self.folder, status_of(states), summary, self._place.data_root)

    def ask(self, n: int = 1) -> list[Question]:
        """Lease up to ``n`` queries: ``(attempt, sample)`` pairs. None are left at the end, or while others answer.

        Raises CapabilityError when the campaign has a labeler that is called, StateError when the campaign is paused.
        """
        if n < 1:
            raise StateError(f"at least 1 query must be asked for, but got {n!r}.")
        self._outside()
        with self._record() as store:
            states, _ = self._drive(store, resume=False)
            _check_running(states)
            return lease(store, self._hosts.blobs, n, self._labeler.info)

    def leased(self) -> list[Question]:
        """Queries that were leased before and have no answer yet, as after a restart."""
        with self._record() as store:
            return leased(store, self._hosts.blobs, self._labeler.info)

    def tell(self, answers: Mapping[str, Any]) -> Told:
        """Record answers by attempt, then go on as far as they allow.

        An answer is an array (a class code, a mask, a field with NaN where it is not valid), a Label, or a LabelFailure
        for what cannot be answered. All are checked before any is written; the same answer again changes nothing.
        Answers are durable before anything else happens.

        Raises:
            DataError: an answer of another form. NotFoundError: an attempt that was never leased.
            ConflictError: another answer than the attempt has. StateError: the campaign stopped because of an error.
        """
        self._outside()
        with self._record() as store:
            told = tell(store, self._hosts.blobs, answers, self._labeler.info)
            self._drive(store, resume=False)
        return told

    def tell_file(self, path: str | Path) -> Told:
        """Record the answers of an npz file whose ``id`` are attempts; raises as :meth:`tell` does.

        Rows of nothing but -1 (classes), 255 (masks) or NaN are no answers yet and are left out.
        """
        cost = self._outside().cost
        labels = read_labels(Path(path), self.target)
        return self.tell({str(attempt): replace(label, cost=cost) for attempt, label in labels.items()})

    def write_questions(self, path: str | Path, questions: Sequence[Question]) -> None:
        """Write leased queries as an npz file whose ``id`` are the attempts. Raises DataError when it cannot."""
        write_questions(Path(path), self._states()[0], self._hosts.blobs, questions)

    def close(self) -> None:
        """Let go of the record and of the worker; the next call takes them again."""
        self._held.close()
        self._working.close()
        self._store, self._made = None, None

    def __enter__(self) -> "Campaign":
        self._store = self._held.enter_context(self._place.store(self.spec.name))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Campaign {self.status} in {str(self.folder)!r}>"

    def _repr_html_(self) -> str:
        return self.status.html()

    @contextmanager
    def _record(self) -> Iterator[Store]:
        """The record that is held, or one for a single call; raises LockedError when another process writes it."""
        if self._store is not None:
            yield self._store
            return
        with self._place.store(self.spec.name) as store:
            yield store

    @property
    def _hosts(self) -> InlineHosts:
        if self._made is None:
            self._made = self._working.enter_context(self._place.inline_hosts())
        return self._made

    @property
    def _labeler(self) -> Labeler:
        return self._hosts.parts(self.spec).labeler

    def _states(self) -> list[State]:
        if self._store is not None:
            return states_of(self._store)
        return RunFolder(self.folder).states() if (self.folder / RECORD).is_file() else []

    def _drive(self, store: Store, *, resume: bool) -> tuple[list[State], Mapping[str, Any]]:
        session = Session(self.spec, self.spec.name, store, self._hosts, self._observe, resume=resume)
        with _one_thread():
            states = session.run()
        summary = self._write(store, states)
        _check_no_error(states)
        return states, summary

    def _write(self, store: Store, states: Sequence[State]) -> Mapping[str, Any]:
        """Write what a run leaves when there is something new; the report, which takes seconds, only at the end."""
        now = [(state.n if state.terminal else len(state.evaluated), state.status) for state in states]
        if now != self._written or not self._summary:
            done = all(state.terminal for state in states)
            blobs = self._hosts.blobs
            self._summary = write_outcome(self.folder, self.spec, states, store, blobs, report=done)
            self._written = now
        return self._summary

    def _outside(self) -> LabelerInfo:
        """The declaration of those who answer from outside. Raises CapabilityError when there are none."""
        info = answered_outside(self._labeler.info)
        if info is None:
            name = self._labeler.info.name
            raise CapabilityError(
                f"ask and tell need a labeler that answers from outside, such as external, but got {name!r}."
            )
        return info


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch with one thread, as everywhere else, so that the same campaign gives the same model to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_running(states: Sequence[State]) -> None:
    paused = states[0].paused
    if paused is not None:
        raise StateError(
            f"a campaign must be running to be asked for queries, but got one that is paused: {paused.reason}"
        )


def _check_no_error(states: Sequence[State]) -> None:
    for state in states:
        if state.paused is not None and state.paused.cause != "user":
            raise StateError(f"campaign {state.id!r} must be able to go on, but got: {state.paused.reason}")
