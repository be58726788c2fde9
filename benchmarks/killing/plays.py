"""What people do with a campaign, command by command. Whatever is killed is done again, as a person would: after a look
at what had been done already where doing it twice would matter."""

import json
import time
from collections.abc import Callable

import numpy as np

from benchmarks.killing.hand import PARTS, RUN, BrokenPromiseError, Hand, Kill
from dataeff_al.campaign.state import State

WAITS = 4
LEASE_S = 0.05
LATE_S = 4.0
PLUGIN = ("--plugin", str(PARTS))
Questions = dict[str, np.ndarray]


def run(hand: Hand) -> None:
    """A campaign that runs by itself."""
    hand.go_on()


def report(hand: Hand) -> None:
    """The same, with a report at the end."""
    hand.go_on("--report")


def come_late(hand: Hand) -> None:
    """A controller dies with leases granted, and nobody is there until they are over."""
    planned, hand.kills = hand.kills, [Kill("dispatch.before:2")]
    hand.command("run", "tiny.yaml", "--inline", "--out", RUN, "--json", "--no-report", *PLUGIN)
    hand.killed.clear()
    hand.kills = planned
    time.sleep(LATE_S + 0.05)
    hand.go_on()


def settle(hand: Hand) -> None:
    """Whatever nobody knows is settled by the labeler's bill."""
    while hand.go_on(expect=(0, WAITS))["code"] == WAITS:
        _settle_all(hand)


def give_up(hand: Hand) -> None:
    """A labeler's error makes somebody cancel the campaign; only then is the lost attempt settled."""
    hand.go_on(expect=(0, WAITS))
    _until(hand, lambda state: state.terminal or state.cancelling, "cancel", RUN)
    hand.go_on(expect=(WAITS,))
    _settle_all(hand)


def answer(hand: Hand) -> None:
    """Somebody outside answers until the campaign is at its end."""
    _begin(hand)
    _answer_until(hand, lambda state: state.terminal)


def live(hand: Hand) -> None:
    """Answers from outside, a pause in between, and more money at the end."""
    _begin(hand)
    _answer_until(hand, lambda state: bool(state.evaluated))
    _until(hand, lambda state: state.paused is not None, "pause", RUN)
    _until(hand, lambda state: state.paused is None, "resume", RUN)
    _answer_until(hand, lambda state: state.terminal)
    _until(hand, lambda state: state.accounts["queries"].total > 5, "extend", RUN, "2")
    hand.go_on(expect=(0, WAITS))
    _answer_until(hand, lambda state: state.terminal)


def cancel(hand: Hand) -> None:
    """Leases run out, the campaign is cancelled, and the last answer comes after all is over."""
    _begin(hand)
    _answer_until(hand, lambda state: bool(state.evaluated))
    _asked(hand, 2)
    time.sleep(2 * LEASE_S)
    _go_on_until(hand, lambda state: not state.open)
    questions = _asked(hand, 1)
    _until(hand, lambda state: state.terminal or state.cancelling, "cancel", RUN)
    time.sleep(2 * LEASE_S)
    _go_on_until(hand, lambda state: state.cancelled)
    _tell(hand, questions)


def _begin(hand: Hand) -> None:
    hand.go_on(expect=(WAITS,))


def _state(hand: Hand) -> State:
    state = hand.state()
    if state is None:
        raise BrokenPromiseError("the record lost a campaign that had been answered for")
    return state


def _until(hand: Hand, done: Callable[[State], bool], *argv: str) -> None:
    """A command that must not be repeated once it is done."""
    while not done(_state(hand)):
        hand.command(*argv)


def _go_on_until(hand: Hand, done: Callable[[State], bool]) -> None:
    while not done(_state(hand)):
        hand.go_on(expect=(0, WAITS))


def _settle_all(hand: Hand) -> None:
    """Paid when the labeler has a bill for it."""
    for row in json.loads(hand.insist("settle", RUN, "--json")["out"]):
        paid = any((hand.folder / "invoices").glob(f"{row['attempt']}.*"))
        verdict = "wasted" if paid else "lost"
        if hand.command("settle", RUN, row["attempt"], "--as", verdict) is None:
            return _settle_all(hand)
    return None


def _answer_until(hand: Hand, done: Callable[[State], bool]) -> None:
    while not done(_state(hand)):
        _tell(hand, _asked(hand, 8))


def _asked(hand: Hand, n: int) -> Questions:
    """Questions by attempt. Who was killed between the lease and its answer asks for the same ones again."""
    again = bool(_state(hand).open)
    path = hand.folder / "asked.npz"
    path.unlink(missing_ok=True)
    while hand.command("ask", RUN, *(("--again",) if again else ("-n", str(n))), "--out", path.name, *PLUGIN) is None:
        again = bool(_state(hand).open)
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return {name: arrays[name] for name in ("id", "x")}


def _tell(hand: Hand, questions: Questions) -> None:
    if not questions:
        return
    path = hand.folder / "answers.npz"
    np.savez(path, id=questions["id"], label=_sides(questions["x"]))
    hand.insist("tell", RUN, "--in", path.name, "--json", *PLUGIN)
    hand.acknowledged.update(map(str, questions["id"]))


def _sides(x: np.ndarray) -> np.ndarray:
    """On which side the light is: ``(n, 1, 8, 8)`` to class codes ``(n,)``."""
    half = x.shape[-1] // 2
    return (x[..., half:].sum(axis=(1, 2, 3)) > x[..., :half].sum(axis=(1, 2, 3))).astype(np.int64)
