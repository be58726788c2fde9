"""Between messages of LabelerService and the project's own values."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dataeff_al.errors import LabelingError, RequestError
from dataeff_al.labeling.check import MOST_COST
from dataeff_al.labeling.types import Effect, LabelerInfo
from dataeff_al.rpc import limits
from dataeff_al.rpc.v1 import labelers_pb2 as pb
from dataeff_al.samples.declared import samples_from_json, samples_to_json, target_from_json, target_to_json
from dataeff_al.samples.types import SampleSpec

AttemptState = Literal["running", "done", "unknown", "lost"]
MAX_NAME = 64

_EFFECT_BACK: Mapping[int, Effect] = {pb.EFFECT_PURE: "pure", pb.EFFECT_QUERYABLE: "queryable"}
_STATE: Mapping[AttemptState, Any] = {
    "running": pb.ATTEMPT_STATE_RUNNING,
    "done": pb.ATTEMPT_STATE_DONE,
    "unknown": pb.ATTEMPT_STATE_UNKNOWN,
    "lost": pb.ATTEMPT_STATE_LOST,
}
_STATE_BACK: Mapping[int, AttemptState] = {number: name for name, number in _STATE.items()}


@dataclass(frozen=True)
class AttemptProgress:
    """How an attempt at a labeler service stands.

    ``unknown``: nothing was begun, or nothing that can have cost anything. ``lost``: it may have been paid for, and
    ``reason`` says why nobody knows. ``outcome``: the packed outcome of one that is done.
    """

    attempt: str
    state: AttemptState
    outcome: bytes = b""
    work_s: float = 0.0
    reason: str = ""


def form_text(samples: SampleSpec) -> str:
    """A form of samples as JSON text."""
    return json.dumps(samples_to_json(samples), sort_keys=True)


def form_from_text(text: str) -> SampleSpec:
    """The form that :func:`form_text` wrote. Raises RequestError when it is none."""
    try:
        if len(text) > limits.MAX_FORM:
            raise ValueError(f"{len(text)} characters")
        found = samples_from_json(json.loads(text))
        _ = found.input_field
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RequestError(f"samples must state the form of samples in JSON, but got {error!r:.200}.") from None
    return found


def info_message(info: LabelerInfo) -> pb.DescribeLabelerResponse:
    """A labeler's declaration. Calls that are not free are kept by whoever serves it, so that they can be asked for."""
    return pb.DescribeLabelerResponse(
        name=info.name[:MAX_NAME],
        version=info.version[:MAX_NAME],
        target=json.dumps(target_to_json(info.target)),
        effect=pb.EFFECT_PURE if info.effect == "pure" else pb.EFFECT_QUERYABLE,
        deterministic=info.deterministic,
        cost=info.cost,
        max_cost=info.max_cost,
        batch=min(info.preferred_batch, limits.MAX_LEASES),
        timeout_s=info.timeout_s,
        accepts_synthesised=info.accepts_synthesised,
        fidelities=info.fidelities,
    )


def info(message: pb.DescribeLabelerResponse) -> LabelerInfo:
    """The declaration in an answer. Raises LabelingError with the rule that it breaks."""
    if broken := _broken(message):
        raise LabelingError(f"a labeler service must describe itself by the contract, but got {broken}.")
    try:
        target = target_from_json(json.loads(message.target))
        target.name.isidentifier()
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LabelingError(f"a labeler service must state the form of its labels, but got {error!r:.200}.") from None
    return LabelerInfo(
        name=message.name,
        version=message.version,
        target=target,
        effect=_EFFECT_BACK[message.effect],
        deterministic=message.deterministic,
        cost=message.cost,
        max_cost=message.max_cost,
        preferred_batch=message.batch,
        timeout_s=message.timeout_s,
        fidelities=tuple(message.fidelities),
        accepts_synthesised=message.accepts_synthesised,
    )


def _broken(message: pb.DescribeLabelerResponse) -> str:
    """What of a declaration breaks the contract; empty when nothing does."""
    named = {"name": message.name, "version": message.version}
    for what, text in named.items():
        if not 0 < len(text) <= MAX_NAME or not text.isprintable():
            return f"{what} {text[:80]!r}"
    if message.effect not in _EFFECT_BACK:
        return f"effect {message.effect}"
    if not 0 <= message.cost <= message.max_cost <= MOST_COST:
        return f"cost {message.cost} and max_cost {message.max_cost}"
    if not 1 <= message.batch <= limits.MAX_LEASES:
        return f"batch {message.batch}"
    if not (math.isfinite(message.timeout_s) and 0 < message.timeout_s <= limits.MAX_WORK_S):
        return f"timeout_s {message.timeout_s}"
    return ""


def progress_message(progress: AttemptProgress) -> pb.AttemptProgress:
    """How an attempt stands, as a message."""
    return pb.AttemptProgress(
        attempt=progress.attempt,
        state=_STATE[progress.state],
        outcome=progress.outcome,
        work_s=progress.work_s,
        reason=progress.reason,
    )


def progress(message: pb.AttemptProgress) -> AttemptProgress:
    """How an attempt stands. Raises LabelingError when the answer does not say."""
    if message.state not in _STATE_BACK:
        raise LabelingError(f"a labeler service must say how an attempt stands, but got state {message.state}.")
    work_s = message.work_s if math.isfinite(message.work_s) and message.work_s > 0 else 0.0
    return AttemptProgress(
        message.attempt, _STATE_BACK[message.state], message.outcome, work_s, message.reason[: limits.MAX_REASON]
    )
