"""One campaign under kills, held against one that nobody disturbed."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.killing.campaigns import VARIANTS, Variant
from benchmarks.killing.hand import RUN, BrokenPromiseError, Hand, Kill, Zygote
from dataeff_al.campaign.launch import SHARED
from dataeff_al.campaign.run_folder import RunFolder, states_of
from dataeff_al.campaign.state import State
from dataeff_al.campaign.summary import digests
from dataeff_al.errors import DataeffError, NotFoundError
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Picture:
    """What must be the same whatever was killed.

    ``members``: by campaign, its digests of queries, labels and model, how it ended and its accounts. ``invoices``: by
    sample, how often the labeler was paid for it. ``settled``: attempts of which an operator had to say what became.
    """

    members: dict[str, Any]
    invoices: dict[str, int]
    settled: frozenset[str]


@dataclass(frozen=True)
class Trial:
    """What became of one campaign: the kills that came, and every promise that was broken."""

    kills: Sequence[str]
    violations: Sequence[str]


@dataclass(frozen=True)
class Undisturbed:
    """The campaign as it goes without a kill; by command, the points that it passes and the seconds it takes."""

    picture: Picture
    traces: Sequence[Sequence[str]]
    seconds: Sequence[float]

    @property
    def passed(self) -> dict[str, int]:
        """By point, how often the command that passes it most does so."""
        found: Counter[str] = Counter()
        for trace in self.traces:
            found |= Counter(trace)
        return dict(found)


@dataclass
class Arena:
    """Where campaigns are run; each in a folder of its own, in memory: a kill loses nothing that was written."""

    zygote: Zygote
    _known: dict[str, Undisturbed] = field(default_factory=dict)

    def undisturbed(self, name: str) -> Undisturbed:
        """The campaign without kills, run once. Raises BrokenPromiseError."""
        if name not in self._known:
            with _folder() as folder:
                self._known[name] = self._watch(name, folder)
        return self._known[name]

    def trial(self, name: str, kills: Sequence[Kill]) -> Trial:
        """The campaign under kills."""
        expected = self.undisturbed(name).picture
        with _folder() as folder:
            return self._try(VARIANTS[name], expected, kills, folder)

    def _watch(self, name: str, folder: Path) -> Undisturbed:
        hand = Hand(self.zygote, folder, traced=True)
        _play(VARIANTS[name], hand)
        found = _evidence(hand)
        if found.broken:
            raise BrokenPromiseError("; ".join(found.broken))
        return Undisturbed(found.picture, hand.traces, hand.seconds)

    def _try(self, variant: Variant, expected: Picture, kills: Sequence[Kill], folder: Path) -> Trial:
        hand, broken = Hand(self.zygote, folder, list(kills)), list[str]()
        try:
            _play(variant, hand)
            found = _evidence(hand)
            broken = [*found.broken, *_differing(variant, expected, found.picture)]
        except (BrokenPromiseError, DataeffError) as error:
            broken = [str(error)]
        return Trial([str(kill) for kill in hand.killed], broken)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kill-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(variant: Variant, hand: Hand) -> None:
    (hand.folder / "tiny.yaml").write_text(variant.text, encoding="utf-8")
    variant.play(hand)


@dataclass(frozen=True)
class _Evidence:
    """What a run left: its campaigns' states, the labeler's invoices as ``KEY.SAMPLE[.N]``, and what is wrong."""

    states: Sequence[State]
    invoices: Sequence[str]
    broken: Sequence[str]

    @property
    def picture(self) -> Picture:
        """What is compared with other runs."""
        tried = [attempt for state in self.states for attempt in state.attempts.values()]
        settled = frozenset(attempt.id for attempt in tried if attempt.reason.startswith("settled"))
        samples = Counter(name.split(".")[1] for name in self.invoices)
        return Picture({state.id: _member(state) for state in self.states}, dict(samples), settled)


def _evidence(hand: Hand) -> _Evidence:
    run = RunFolder(hand.folder / RUN)
    store = open_store(run.folder, writer=False)
    try:
        states = states_of(store)
        found = fsck(store, run.blobs, {states[0].id: hand.acknowledged})
    finally:
        store.close()
    invoices = [path.name for path in (hand.folder / "invoices").glob("[!.]*")]
    broken = [*map(str, found.violations), *_wrong_model(run, states[0]), *_overpaid(states, invoices)]
    broken += [f"no outcome may lie forgotten, but got {path.name}" for path in (run.folder / "spool").glob("*.done")]
    return _Evidence(states, invoices, broken)


def _member(state: State) -> dict[str, Any]:
    accounts = {name: [a.total, a.reserved, a.spent, a.wasted] for name, a in sorted(state.accounts.items())}
    return {"digests": digests(state), "status": state.status, "accounts": accounts, "extra": state.extra}


def _differing(variant: Variant, expected: Picture, found: Picture) -> list[str]:
    """Where a run came out otherwise; one of a blind labeler may, once somebody had to settle other attempts."""
    if not variant.same_end or (variant.pays_blindly and found.settled != expected.settled):
        return []
    parts = (("members", expected.members, found.members), ("invoices", expected.invoices, found.invoices))
    return [f"{name} must be {one}, but got {other}" for name, one, other in parts if one != other]


def _wrong_model(run: RunFolder, state: State) -> list[str]:
    wanted = digests(state)["model"]
    try:
        found = run.model()[1]["digest"]
    except NotFoundError:
        found = None
    return [] if found == wanted else [f"model.safetensors must be the record's model {wanted}, but got {found}"]


def _overpaid(states: Sequence[State], invoices: Sequence[str]) -> list[str]:
    """I10: the labeler's bill is at most what the record says was spent, and no attempt is on it twice.

    A twin books the first labels of its parent again; they were paid once.
    """
    twice = [key for key, n in Counter(name.split(".")[0] for name in invoices).items() if n > 1]
    broken = [f"I10: an attempt must be paid once, but got {twice} on the bill twice"] if twice else []
    booked = sum(account.spent + account.wasted for state in states for account in state.accounts.values())
    inherited = sum(query.cost for state in states if _is_twin(state) for query in state.labelled(*SHARED))
    most = booked - inherited + sum(state.extra for state in states)
    return (
        [*broken, f"I10: the bill must be at most {most}, but got {len(invoices)}"] if len(invoices) > most else broken
    )


def _is_twin(state: State) -> bool:
    return state.created is not None and state.created.parent is not None
