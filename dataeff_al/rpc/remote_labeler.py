"""The ``remote`` labeler: questions go to a service that may be written in any language."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataeff_al.errors import AccessError, CapabilityError, DataeffError, LabelingError
from dataeff_al.labeling.packing import pack_request
from dataeff_al.labeling.services import SERVICES, RemoteParams, Service
from dataeff_al.labeling.types import LabelerContext, LabelFailure, Outcome, Request
from dataeff_al.rpc import limits
from dataeff_al.rpc.errand import Errand, outcome_of
from dataeff_al.rpc.labeler_client import LabelerClient

GRACE_S = 30.0
"""What the host waits beyond the service's own time, in which what is left is called off."""
ACK_TRIES = 3

log = logging.getLogger(__name__)


class RemoteLabeler:
    """Asks a registered service.

    ::

        SERVICES.register({"solver": Service(address="127.0.0.1:7470")})
        labeler = RemoteLabeler(RemoteParams(service="solver"), LabelerContext(pool, base_dir, None))
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: RemoteParams, context: LabelerContext) -> None:
        """Raises UnknownNameError for a service that is not registered here, UnavailableError when it is not there,
        CapabilityError when it does not answer such samples, or may cost more than ``max_cost``.
        """
        self._samples = context.pool.spec
        self._client = client_of(SERVICES.get(params.service))
        described = self._client.describe(self._samples)
        if described.max_cost > params.max_cost:
            raise CapabilityError(
                f"max_cost of service {params.service!r} must be at least {described.max_cost}, which one of its "
                f"answers may cost, but got {params.max_cost}."
            )
        if params.synthesised and not described.accepts_synthesised:
            raise CapabilityError(
                f"service {params.service!r} must accept synthesised samples, but says that it does not."
            )
        self._timeout_s = described.timeout_s
        self._unsure: set[str] = set()
        self._acknowledging = Acknowledging(self._client)
        self.info = replace(
            described,
            name="remote",
            version=f"{described.name}-{described.version}",
            timeout_s=described.timeout_s + GRACE_S,
            accepts_synthesised=params.synthesised,
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """The service's answers.

        Raises UnavailableError or LabelingError when what became of the attempts is not known here; :meth:`lookup`
        asks again.
        """
        packed = {request.key: pack_request(request) for request in batch}
        sent = {key: content for key, content in packed.items() if len(content) <= limits.MAX_ARRAYS_BYTES}
        try:
            found = Errand(self._client, self._samples, self.info, sent).outcomes(self._timeout_s * len(batch))
        except Exception:
            self._unsure.update(sent)
            raise
        return [found.get(request.key) or _too_large(len(packed[request.key])) for request in batch]

    def lookup(self, key: str) -> Outcome | None:
        """What became of an attempt; None when it may be asked again, which joins what the service is at.

        Raises LabelingError when the service has lost it, or is still at one that was given up here.
        """
        found = self._client.poll([key])
        if not found or found[0].state == "lost":
            reason = found[0].reason if found else "it does not say"
            raise LabelingError(f"the labeler service does not know what became of the attempt: {reason}")
        progress = found[0]
        if progress.state == "done":
            return outcome_of(progress, self.info)
        if progress.state == "running" and key in self._unsure:
            raise LabelingError("the labeler service is still at work on an attempt that was given up here")
        return None

    def ack(self, keys: Sequence[str]) -> None:
        """The outcomes are in the record: the service may forget them. Does not wait for it."""
        self._unsure.difference_update(keys)
        self._acknowledging.add(keys)


def client_of(service: Service) -> LabelerClient:
    """A client of a registered service. Raises AccessError when its files cannot be read."""
    try:
        token = Path(service.token_file).read_text("utf-8").splitlines()[0].strip() if service.token_file else None
        ca = Path(service.ca) if service.ca else None
        if ca is not None:
            ca.read_bytes()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise AccessError(f"the files of a registered service must be readable, but got {error}.") from None
    return LabelerClient(service.address, token=token, ca=ca)


def _too_large(size: int) -> LabelFailure:
    return LabelFailure(f"a sample must have at most {limits.MAX_ARRAYS_BYTES} bytes to be sent, but got {size}")


class Acknowledging:
    """Tells a service what it may forget, beside whoever waits for answers; the process waits for it at its end."""

    def __init__(self, client: LabelerClient) -> None:
        self._client = client
        self._left: list[str] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, keys: Sequence[str]) -> None:
        """Have attempts forgotten soon."""
        with self._lock:
            self._left += keys
            if self._thread is None and self._left:
                self._thread = threading.Thread(target=self._run, name="acknowledging", daemon=False)
                self._thread.start()

    def _run(self) -> None:
        while some := self._next():
            self._send(some)

    def _next(self) -> list[str]:
        with self._lock:
            some, self._left = self._left[: limits.MAX_LEASES], self._left[limits.MAX_LEASES :]
            if not some:
                self._thread = None
            return some

    def _send(self, attempts: Sequence[str]) -> None:
        for number in range(ACK_TRIES):
            try:
                self._client.ack(attempts)
            except DataeffError as error:
                log.info("a service could not be told what it may forget: %s", error)
                time.sleep(float(number < ACK_TRIES - 1))
            else:
                return
