"""Hosts on a Ray that is opened anew when it was lost: for a service that outlives its cluster."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dataeff_al.blobs import OwnBlobs
from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.hosts import Host
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import DataeffError, UnavailableError
from dataeff_al.labeling.types import LabelerHost
from services.actors.cluster import ClusterSettings, open_cluster
from services.actors.hosts import RayHosts

log = logging.getLogger(__name__)
LOOK_S = 0.5
AGAIN_S = 5.0
PATIENCE_S = 120.0
END_S = 120.0


class RevivingHosts:
    """Implements :class:`dataeff_al.campaign.hosts.Hosts` over one Ray after another.

    While there is none, nothing new is begun: campaigns pause with the reason, and go on when they are asked to. A
    thread of its own opens every Ray, because the processes of a Ray end with the thread that started it.

    Args:
        settings: which Ray.
        place: the run's folder, the campaign file's folder, the shared data.
        plugins: plugin files of this run, which are sent along.
        patience_s: how long a campaign that starts waits for a Ray [s].
    """

    def __init__(
        self,
        settings: ClusterSettings,
        place: Place,
        plugins: Sequence[Path] = (),
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._opened_with, self._place, self._plugins = settings, place, plugins
        self._patience_s = patience_s
        self._closed, self._news = threading.Event(), threading.Condition()
        self._hosts: RayHosts | None = None
        self._trouble = "the Ray of this service must have started, but got none yet"
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, name="ray", daemon=True)

    def __enter__(self) -> Self:
        """Raises what keeps the first Ray from being opened."""
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._hosts is not None or self._failure is not None)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed.set()
        self._thread.join(END_S)

    @property
    def blobs(self) -> OwnBlobs:
        """Where arrays are: on this machine's disk, whatever becomes of Ray."""
        return self._newest.blobs

    @property
    def concurrency(self) -> int:
        """How many campaigns of one family may run side by side."""
        return self._newest.concurrency

    def obstacle(self) -> str:
        """Why nothing new may be begun now; empty when nothing is in the way."""
        return self._trouble or self._newest.obstacle()

    def parts(self, spec: CampaignSpec) -> Parts:
        """Pool and labeler of the driver's side."""
        return self._newest.parts(spec)

    def worker(self, campaign: str, spec: CampaignSpec) -> Host:
        """The worker of a campaign. Raises UnavailableError when no Ray comes back in time."""
        return self._standing().worker(campaign, spec)

    def labeler(self, campaign: str, spec: CampaignSpec, on_done: Callable[[str], None]) -> LabelerHost:
        """The replicas of its labeler. Raises UnavailableError when no Ray comes back in time."""
        return self._standing().labeler(campaign, spec, on_done)

    def release(self, campaign: str) -> None:
        """Let go of the campaign's worker and replicas."""
        self._newest.release(campaign)

    @property
    def _newest(self) -> RayHosts:
        assert self._hosts is not None
        return self._hosts

    def _standing(self) -> RayHosts:
        with self._news:
            if not self._news.wait_for(lambda: not self.obstacle(), self._patience_s):
                raise UnavailableError(f"{self.obstacle()}.")
            return self._newest

    def _keep(self) -> None:
        while not self._closed.is_set():
            try:
                self._live()
            except Exception as error:
                log.warning("Ray cannot be opened: %s", error)
                self._say(f"Ray must start, but got {error}" if not isinstance(error, DataeffError) else str(error))
                if self._hosts is None:
                    self._fail(error)
                    return
            self._closed.wait(AGAIN_S if self._trouble else 0)

    def _live(self) -> None:
        """From opening a Ray until it is lost, or nobody needs it."""
        with (
            open_cluster(self._opened_with) as cluster,
            RayHosts(cluster, self._place, self._plugins) as hosts,
        ):
            self._hosts = hosts
            self._say("")
            while not self._closed.wait(LOOK_S) and not cluster.trouble():
                pass
            self._say(cluster.trouble())

    def _say(self, trouble: str) -> None:
        with self._news:
            self._trouble = trouble.rstrip(".")
            self._news.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._news:
            self._failure = error
            self._news.notify_all()
