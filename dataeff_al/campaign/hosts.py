"""Where a campaign's work is done. The driver knows only these; arrays never pass through it."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

from dataeff_al.blobs import OwnBlobs
from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import Ref
from dataeff_al.labeling.external import ExternalHost
from dataeff_al.labeling.picturing import MOST_EACH
from dataeff_al.labeling.spool import MemorySpool, Spool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import LabelerHost


class StepResult(NamedTuple):
    """The ref of a step's result, and how long the step itself took [s]."""

    ref: Ref
    seconds: float


class Host(Protocol):
    """Runs a worker's methods, one call at a time, somewhere."""

    def call(self, method: str, *args: Ref | str | int) -> Future[StepResult]:
        """Start a method of the worker; the future ends with its result, or with its error.

        ConnectionError means that the worker was lost: the step may be asked again.
        """


class Hosts(Protocol):
    """What a campaign runs on: workers, labelers, and the blobs that both can reach."""

    @property
    def blobs(self) -> OwnBlobs:
        """Where arrays are."""

    @property
    def concurrency(self) -> int:
        """How many campaigns of one family may run side by side."""

    def obstacle(self) -> str:
        """Why nothing new may be begun here now; empty when nothing is in the way."""

    def parts(self, spec: CampaignSpec) -> Parts:
        """The parts on the driver's side: the pool's form and the labeler's declaration."""

    def worker(self, campaign: str, spec: CampaignSpec) -> Host:
        """The worker of a campaign."""

    def labeler(self, campaign: str, spec: CampaignSpec, on_done: Callable[[str], None]) -> LabelerHost:
        """The labeler's host; ``on_done`` may be called with attempts that have an outcome."""

    def release(self, campaign: str) -> None:
        """The campaign has ended or stopped: let go of what was made for it."""


class InlineHost:
    """Runs a worker in one thread of this process; the worker is made there, when first called.

    The thread keeps no process alive: whoever stops at once does not wait for a step.
    """

    def __init__(self, make_worker: Callable[[], Any]) -> None:
        self._make_worker = make_worker
        self._worker: Any = None
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._closed = False
        threading.Thread(target=self._work, name="worker", daemon=True).start()

    def call(self, method: str, *args: Ref | str | int) -> Future[StepResult]:
        """Queue a method of the worker."""
        future: Future[StepResult] = Future()
        self._calls.put(lambda: self._fulfil(future, method, *args))
        return future

    def close(self) -> None:
        """Drop what is queued; what runs is left to end."""
        self._closed = True
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _fulfil(self, future: Future[StepResult], method: str, *args: Ref | str | int) -> None:
        if self._closed or not future.set_running_or_notify_cancel():
            future.cancel()
            return
        try:
            result = self._run(method, *args)
        except BaseException as error:  # whoever waits for the future hears of it, as from an executor
            future.set_exception(error)
        else:
            future.set_result(result)

    def _run(self, method: str, *args: Ref | str | int) -> StepResult:
        if self._worker is None:
            self._worker = self._make_worker()
        began = time.monotonic()
        return StepResult(getattr(self._worker, method)(*args), time.monotonic() - began)


class InlineHosts:
    """Everything in this process: one worker for all campaigns, labelers in a thread each.

    Args:
        blobs: where arrays are.
        make_parts: builds the driver's side of a campaign.
        make_worker: builds the worker.
        make_spool: builds the memory of a labeler whose calls cost.
    """

    concurrency = 1

    def __init__(
        self,
        blobs: OwnBlobs,
        make_parts: Callable[[CampaignSpec], Parts],
        make_worker: Callable[[], Any],
        make_spool: Callable[[], Spool],
    ) -> None:
        self.blobs = blobs
        self._make_parts, self._make_spool = make_parts, make_spool
        self._worker = InlineHost(make_worker)
        self._newest: tuple[str, Parts] | None = None
        self._pictures = MOST_EACH

    def obstacle(self) -> str:
        """This process is always there."""
        return ""

    def parts(self, spec: CampaignSpec) -> Parts:
        """Pool and labeler, kept while campaigns that share them run."""
        key = f"{spec.seed} {spec.pool.canonical()} {spec.labeler.canonical()}"
        if self._newest is None or self._newest[0] != key:
            self._newest = (key, self._make_parts(spec))
        return self._newest[1]

    def worker(self, campaign: str, spec: CampaignSpec) -> Host:  # noqa: ARG002
        """The one worker."""
        return self._worker

    def labeler(self, campaign: str, spec: CampaignSpec, on_done: Callable[[str], None]) -> LabelerHost:  # noqa: ARG002
        """A host that calls the labeler in a thread, or that waits for answers from outside."""
        labeler, runtime = self.parts(spec).labeler, spec.labeler.runtime
        if labeler.info.delivery == "pull":
            return ExternalHost(labeler.info)
        spool = MemorySpool() if labeler.info.effect == "pure" else self._make_spool()
        timeout_s, batch = (runtime.timeout_s, runtime.batch) if runtime else (None, None)
        # The report shows the campaign's own labels: its twins, which start later, need no pictures.
        pictures, self._pictures = self._pictures, 0
        return Spooled(labeler, self.blobs, spool, timeout_s=timeout_s, batch=batch, pictures=pictures, on_done=on_done)

    def release(self, campaign: str) -> None:
        """Nothing is made for one campaign alone."""

    def close(self) -> None:
        """End the worker's thread."""
        self._worker.close()
