"""A labeler that runs elsewhere, from Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dataeff_al.labeling.types import LabelerInfo
from dataeff_al.rpc import labeler_messages as messages
from dataeff_al.rpc.channel import Access, Connection, new_request_id
from dataeff_al.rpc.labeler_messages import AttemptProgress
from dataeff_al.rpc.v1 import labelers_pb2 as pb
from dataeff_al.rpc.v1.labelers_pb2_grpc import LabelerServiceStub
from dataeff_al.samples.types import SampleSpec


class LabelerClient:
    """Talks to a service that implements LabelerService. Threads may share one.

    Refusals are raised as errors of :mod:`dataeff_al.errors`, a service that is down as UnavailableError.

    Args:
        target: ``host:port``.
        token: the bearer token, where the service wants one.
        ca: PEM file of the certificate authority, where the service speaks TLS.
        timeout_s: longest time of one call [s], beside what a poll waits.
    """

    def __init__(
        self, target: str, *, token: str | None = None, ca: Path | None = None, timeout_s: float = 60.0
    ) -> None:
        self._connection = Connection(target, Access(token, ca), timeout_s)
        self._timeout_s = timeout_s
        self._stub = LabelerServiceStub(self._connection.channel)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def describe(self, samples: SampleSpec) -> LabelerInfo:
        """What is answered about such samples. Raises LabelingError when the answer breaks the contract."""
        request = pb.DescribeLabelerRequest(samples=messages.form_text(samples))
        return messages.info(self._connection.call(self._stub.Describe, request))

    def start(self, samples: SampleSpec, attempts: Mapping[str, bytes]) -> None:
        """Start attempts: packed requests by attempt. After a refusal nothing was begun."""
        request = pb.StartAttemptsRequest(
            request_id=new_request_id(),
            samples=messages.form_text(samples),
            attempts=[pb.AttemptRequest(attempt=key, request=content) for key, content in attempts.items()],
        )
        self._connection.call(self._stub.Start, request)

    def poll(self, attempts: Sequence[str], wait_s: float = 0.0) -> list[AttemptProgress]:
        """How attempts stand, as soon as one has come to an end or after ``wait_s`` [s]."""
        request = pb.PollAttemptsRequest(attempts=attempts, wait_s=wait_s)
        answer = self._connection.call(self._stub.Poll, request, self._timeout_s + wait_s)
        return [messages.progress(each) for each in answer.attempts if each.attempt in attempts]

    def ack(self, attempts: Sequence[str]) -> None:
        """The outcomes are in safety here."""
        self._connection.call(self._stub.Ack, pb.AckAttemptsRequest(request_id=new_request_id(), attempts=attempts))

    def cancel(self, attempts: Sequence[str]) -> None:
        """Nobody waits for these any more; what has begun goes on."""
        request = pb.CancelAttemptsRequest(request_id=new_request_id(), attempts=attempts)
        self._connection.call(self._stub.Cancel, request)
