"""Several learners as one: the models of successive rounds, averaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import Learner, TargetBatch

_MEMBER = re.compile(r"member\.\d{3}\.")


class EnsembleLearner:
    """The average of its members, newest last; itself a learner.

    Its state holds the members' tensors under prefixed names; :func:`restore` reads it back.
    """

    def __init__(self, members: Sequence[Learner]) -> None:
        if not members:
            raise DataError("an ensemble must have one member or more, but got none.")
        self.members = tuple(members)
        self._module = nn.ModuleList(member.module for member in self.members)
        self._module.eval()

    @property
    def offers(self) -> frozenset[str]:
        """What every member offers."""
        return frozenset.intersection(*(member.offers for member in self.members))

    @property
    def module(self) -> nn.Module:
        """The members' modules."""
        return self._module

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """Labels to tensors."""
        return self.members[-1].targets(labels)

    def calibrate(self, x: Tensor, targets: TargetBatch) -> None:
        """Members come calibrated: raises :class:`DataError`."""
        del x, targets
        raise DataError("an ensemble must be made of fitted members, but got a request to calibrate it.")

    def loss(self, x: Tensor, targets: TargetBatch) -> Tensor:
        """Mean of the members' losses, ``(n,)``."""
        return torch.stack([member.loss(x, targets) for member in self.members]).mean(0)

    def predict(self, x: Tensor) -> Tensor:
        """Mean of the members' predictions."""
        return torch.stack([member.predict(x) for member in self.members]).mean(0)

    def features(self, x: Tensor) -> Tensor:
        """The newest member's features."""
        return self.members[-1].features(x)

    def state(self) -> bytes:
        """All members' tensors as safetensors bytes, names prefixed by ``member.<index>.``."""
        states = [load(member.state()) for member in self.members]
        return save({f"{_prefix(i)}{name}": value for i, state in enumerate(states) for name, value in state.items()})

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned into as many members. Raises :class:`DataError` otherwise."""
        states = split_state(state)
        if len(states) != len(self.members):
            raise DataError(f"the state must hold {len(self.members)} members, but got {len(states)}.")
        for member, part in zip(self.members, states, strict=True):
            member.load(part)


def _prefix(index: int) -> str:
    return f"member.{index:03d}."


def split_state(state: bytes) -> list[bytes]:
    """The members' states: one for a plain learner, several for an ensemble's."""
    tensors = load(state)
    if not all(_MEMBER.match(name) for name in tensors):
        return [state]
    members: dict[str, dict[str, Tensor]] = {}
    for name in sorted(tensors):
        _, index, rest = name.split(".", 2)
        members.setdefault(index, {})[rest] = tensors[name]
    return [save(member) for member in members.values()]


def restore(state: bytes, new_learner: Callable[[int], Learner]) -> Learner:
    """The learner, plain or ensemble, whose ``state()`` this is; ``new_learner(seed)`` makes the empty ones."""
    members = []
    for part in split_state(state):
        member = new_learner(0)
        member.load(part)
        members.append(member)
    return members[0] if len(members) == 1 else EnsembleLearner(members)


def members_of(learner: Learner) -> tuple[Learner, ...]:
    """The members of an ensemble; a plain learner alone."""
    return learner.members if isinstance(learner, EnsembleLearner) else (learner,)
