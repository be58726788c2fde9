"""All agents of all images walk as one batch until their orbits close.

The Poincare section of an agent is a short line across its orbit, set up where the agent is and as it heads there.
Crossings in the same direction give the return map: the offset along the section at one crossing and at the next. The
orbit is closed when successive offsets differ by less than a threshold, and the last loop is the contour. A section
that is not met again within a turn (the agent was still on its way to the orbit) is set up anew.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from labelers.deep_labelling.guides import Guide

CLOSED, NOT_CLOSED, LEFT_IMAGE = "", "its orbit did not close", "it left the image"
MIN_STEPS = 8


@dataclass(frozen=True)
class Limits:
    """Where agents may walk, and how far: the image's ``(height, width)`` px, the most turns, the most steps.

    ``threshold``: closure, as a share of an agent's step; ``section``: half the section's length, in steps.
    """

    image: tuple[int, int]
    max_turns: int = 4
    max_steps: int = 1200
    threshold: float = 0.35
    section: float = 10.0
    midpoint: bool = True


@dataclass(frozen=True)
class Orbit:
    """What became of one agent.

    ``contour``: its last loop ``(k, 2)`` px, None without closure; ``residual_px``: how far the last return missed the
    one before; ``turns`` walked; ``reason``: why there is no contour, empty when there is one. ``path``: all points.
    """

    contour: np.ndarray | None
    residual_px: float
    turns: float
    reason: str
    path: np.ndarray


@dataclass
class _Walk:
    """The state of all agents, changed step by step."""

    points: Tensor
    headings: Tensor
    origin: Tensor
    normal: Tensor
    steps_px: Tensor
    active: Tensor
    last_offset: Tensor
    since: Tensor
    turned: Tensor
    turned_at_section: Tensor
    residual: Tensor
    first: Tensor
    last: Tensor
    left: Tensor
    path: list[Tensor] = field(default_factory=list)


def _begun(starts: Tensor, headings: Tensor, steps_px: Tensor) -> _Walk:
    count = len(starts)
    zeros, never = torch.zeros(count), torch.full((count,), math.nan)
    nowhere = torch.full((count,), -1, dtype=torch.long)
    return _Walk(
        points=starts.clone(),
        headings=headings.clone(),
        origin=starts.clone(),
        normal=headings.clone(),
        steps_px=steps_px,
        active=torch.ones(count, dtype=torch.bool),
        last_offset=never.clone(),
        since=torch.zeros(count, dtype=torch.long),
        turned=zeros.clone(),
        turned_at_section=zeros.clone(),
        residual=torch.full((count,), math.inf),
        first=nowhere.clone(),
        last=nowhere.clone(),
        left=torch.zeros(count, dtype=torch.bool),
        path=[starts.clone()],
    )


@torch.no_grad()
def trace(guide: Guide, starts: Tensor, headings: Tensor, steps_px: Tensor, limits: Limits) -> list[Orbit]:
    """Walk ``(m, 2)`` starts with steps of ``(m,)`` px until every orbit has closed, left the image, or given up."""
    walk = _begun(starts, headings, steps_px)
    for step in range(1, limits.max_steps + 1):
        moved = _moved(guide, walk, limits)
        before, walk.points = walk.points, torch.where(walk.active[:, None], moved, walk.points)
        walk.path.append(walk.points)
        _turn(walk, before)
        _cross(walk, before, step, limits)
        _stop(walk, limits)
        if not bool(walk.active.any()):
            break
    return _orbits(walk)


def _moved(guide: Guide, walk: _Walk, limits: Limits) -> Tensor:
    size = walk.steps_px[:, None]
    speed = guide.velocity(walk.points, walk.headings)
    if limits.midpoint:
        speed = guide.velocity(walk.points + size / 2 * speed, speed)
    return walk.points + size * speed


def _turn(walk: _Walk, before: Tensor) -> None:
    """Add up by how much the headings have turned."""
    heading = walk.points - before
    heading = heading / heading.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    old = walk.headings
    cross = old[:, 0] * heading[:, 1] - old[:, 1] * heading[:, 0]
    turn = torch.atan2(cross, (old * heading).sum(dim=-1))
    walk.turned = torch.where(walk.active, walk.turned + turn, walk.turned)
    walk.headings = torch.where(walk.active[:, None], heading, old)
    walk.since = walk.since + 1


def _cross(walk: _Walk, before: Tensor, step: int, limits: Limits) -> None:
    """Where a section is crossed forwards: note the offset along it, and whether the return map has closed."""
    behind = ((before - walk.origin) * walk.normal).sum(dim=-1)
    ahead = ((walk.points - walk.origin) * walk.normal).sum(dim=-1)
    share = (behind / (behind - ahead).clamp(max=-1e-9)).clamp(0, 1)
    at = before + share[:, None] * (walk.points - before)
    along = torch.stack([-walk.normal[:, 1], walk.normal[:, 0]], dim=-1)
    offset = ((at - walk.origin) * along).sum(dim=-1)
    near = offset.abs() < limits.section * walk.steps_px
    crossed = walk.active & (behind < 0) & (ahead >= 0) & near & (walk.since >= MIN_STEPS)
    missed = (offset - walk.last_offset).abs()
    closed = crossed & (missed < limits.threshold * walk.steps_px)
    walk.residual = torch.where(crossed & ~missed.isnan(), missed, walk.residual)
    # The step that crosses is the loop's end; the loop began with the step after the crossing before.
    walk.first = torch.where(crossed & ~closed, step, walk.first)
    walk.last = torch.where(closed, step, walk.last)
    walk.active = walk.active & ~closed
    walk.last_offset = torch.where(crossed, offset, walk.last_offset)
    walk.since = torch.where(crossed, 0, walk.since)
    walk.turned_at_section = torch.where(crossed, walk.turned, walk.turned_at_section)
    _renew(walk, step)


def _renew(walk: _Walk, step: int) -> None:
    """Set a section up where an agent is that made more than a turn without meeting its old one."""
    lost = walk.active & ((walk.turned - walk.turned_at_section).abs() > 2 * math.pi * 1.1)
    walk.origin = torch.where(lost[:, None], walk.points, walk.origin)
    walk.normal = torch.where(lost[:, None], walk.headings, walk.normal)
    walk.last_offset = torch.where(lost, 0.0, walk.last_offset)
    walk.since = torch.where(lost, 0, walk.since)
    walk.first = torch.where(lost, step, walk.first)
    walk.turned_at_section = torch.where(lost, walk.turned, walk.turned_at_section)


def _stop(walk: _Walk, limits: Limits) -> None:
    height, width = limits.image
    x, y = walk.points[:, 0], walk.points[:, 1]
    out = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    walk.left = walk.left | (walk.active & out)
    tired = walk.turned.abs() > 2 * math.pi * limits.max_turns
    walk.active = walk.active & ~out & ~tired


def _orbits(walk: _Walk) -> list[Orbit]:
    path = torch.stack(walk.path, dim=1).numpy()
    turns = (walk.turned.abs() / (2 * math.pi)).tolist()
    return [_orbit(walk, path[agent], agent, turns[agent]) for agent in range(len(path))]


def _orbit(walk: _Walk, path: np.ndarray, agent: int, turns: float) -> Orbit:
    first, last = int(walk.first[agent]), int(walk.last[agent])
    closed = last > first >= 0
    reason = CLOSED if closed else (LEFT_IMAGE if bool(walk.left[agent]) else NOT_CLOSED)
    ended = path[: last + 1] if closed else path
    residual = float(walk.residual[agent])
    return Orbit(path[first:last].astype(np.float64) if closed else None, residual, turns, reason, ended)
