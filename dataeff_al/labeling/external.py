"""A labeler that is not called: people and outside programs come for queries (ask) and bring labels back (tell)."""

from collections.abc import Mapping, Sequence

from dataeff_al.digests import Ref
from dataeff_al.errors import CapabilityError
from dataeff_al.labeling.spec import ExternalParams, ExternalTarget
from dataeff_al.labeling.types import (
    LabelerContext,
    LabelerInfo,
    LabelFailure,
    Outcome,
    Progress,
    Request,
    Running,
)
from dataeff_al.samples.types import SampleSpec, TargetSpec


def build_external(params: ExternalParams, context: LabelerContext) -> "ExternalLabeler":
    """The ``external`` labeler. Raises CapabilityError when the pool has no grid that its answers could have."""
    return ExternalLabeler(params, context.pool.spec)


def target_of(target: ExternalTarget, samples: SampleSpec) -> TargetSpec:
    """The form of answers from outside: shapes follow from the samples' grid. Raises CapabilityError without one."""
    shape: dict[str, tuple[int, ...]] = {"class": (), "values": (len(target.channels),)}
    if target.kind in ("mask", "field"):
        grid = _grid(samples)
        shape |= {"mask": grid, "field": (len(target.channels), *grid)}
    return TargetSpec(
        name=target.key,
        kind=target.kind,
        shape=shape[target.kind],
        classes=target.classes,
        channels=target.channels,
        unit=target.unit,
    )


def _grid(samples: SampleSpec) -> tuple[int, ...]:
    field = samples.input_field
    if field.kind == "values":
        raise CapabilityError("answers on a grid need samples on a grid, but got rows of a table.")
    return field.shape if field.kind == "codes" else field.shape[1:]


class ExternalLabeler:
    """The declaration of whoever answers from outside."""

    def __init__(self, params: ExternalParams, samples: SampleSpec) -> None:
        self.instructions = params.instructions
        self.info = LabelerInfo(
            name="external",
            version="1",
            target=target_of(params.target, samples),
            effect="blind",
            deterministic=False,
            cost=params.cost,
            max_cost=params.most,
            timeout_s=params.lease_s,
            accepts_synthesised=params.synthesised,
            delivery="pull",
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """Nobody can be called here."""
        return [LabelFailure("an external labeler is asked by ask and tell, not called", "refused")] * len(batch)


class ExternalHost:
    """The host of a labeler that pulls: it keeps nothing, because leases and answers are in the record."""

    def __init__(self, info: LabelerInfo) -> None:
        self.info = info
        self.capacity = 0

    def start(self, attempt: str, request: Ref) -> None:
        """Whoever asked has the request already."""

    def poll(self, attempts: Sequence[str]) -> Mapping[str, Progress]:
        """Always at work, until the lease ends."""
        return dict.fromkeys(attempts, Running())

    def kept(self) -> Sequence[str]:
        """Nothing is kept."""
        return []

    def ack(self, attempts: Sequence[str]) -> None:
        """Nothing is kept."""

    def cancel(self, attempts: Sequence[str]) -> None:
        """Nobody can be stopped; a late answer is still accepted."""
