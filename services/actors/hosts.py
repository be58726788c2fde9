"""A campaign's hosts on Ray: what the driver knows of the cluster."""

import platform
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.hosts import Host
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.digests import digest_json
from dataeff_al.labeling.external import ExternalHost
from dataeff_al.labeling.spool import FileSpool
from dataeff_al.labeling.types import LabelerHost, LabelerInfo
from dataeff_al.parts import Runtime
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.open import BLOBS
from services.actors.cluster import Cluster
from services.actors.crew import Crew
from services.actors.duty import Duty
from services.actors.keeping import Keeping
from services.actors.labeler_host import RayLabelerHost
from services.actors.parting import Parting
from services.actors.replica import Post
from services.actors.seat import PluginFile, Seat
from services.actors.staff import Staff

SPOOL = "spool"
MOST_SIDE_BY_SIDE = 16
LINGER_S = 20.0


class RayHosts:
    """Workers and labelers in actors; implements :class:`dataeff_al.campaign.hosts.Hosts`.

    ::

        with open_cluster(ClusterSettings.from_environment()) as cluster, RayHosts(cluster, place) as hosts:
            Session(spec, name, store, hosts).run()

    One object serves any number of campaigns that share a folder for blobs and for the files that they read. Safe to
    call from several threads.

    Args:
        cluster: an open one.
        place: the run's folder, the campaign file's folder, the shared data. The last two are paths on every node.
        plugins: plugin files of this run, which are sent along.
        linger_s: how long what a campaign has let go of is kept for the next one, a twin or a repeat [s].
    """

    def __init__(
        self, cluster: Cluster, place: Place, plugins: Sequence[Path] = (), linger_s: float = LINGER_S
    ) -> None:
        folder, base_dir = place.folder.resolve(), place.base_dir.resolve()
        self.blobs = FileBlobs(folder / BLOBS)
        self.concurrency = min(cluster.cpus, MOST_SIDE_BY_SIDE)
        self._place, self._spool = Place(folder, base_dir, place.data_root), FileSpool(folder / SPOOL)
        files = [PluginFile.read(path) for path in plugins]
        self._name = digest_json([platform.node(), str(folder), str(base_dir), [file.text for file in files]])[:16]
        self._cluster = cluster
        self._keeping = Keeping(f"keeper-{self._name}", folder / BLOBS, folder / SPOOL, cluster.node, cluster.trouble)
        self._seat = Seat(self._keeping.name, base_dir, place.data_root, files)
        self._crew = Crew(self._seat, self.concurrency, cluster.trouble)
        self._staffs: dict[str, Staff] = {}
        self._users: dict[str, str] = {}
        self._parts: tuple[str, Parts] | None = None
        self._lock, self._parting = threading.RLock(), Parting(linger_s)

    def obstacle(self) -> str:
        """Why nothing new may be begun now: a cluster that was lost."""
        return self._cluster.trouble()

    def parts(self, spec: CampaignSpec) -> Parts:
        """Pool and labeler, kept while campaigns that share them run."""
        key = _labeler_key(spec)
        with self._lock:
            if self._parts is None or self._parts[0] != key:
                self._parts = (key, Parts(spec, self._place.base_dir, self._place.data_root))
            return self._parts[1]

    def worker(self, campaign: str, spec: CampaignSpec) -> Host:
        """The worker of a campaign: an actor of its own for its target model, a shared one for the manifold."""
        with self._lock:
            return self._crew.host(campaign, spec)

    def labeler(self, campaign: str, spec: CampaignSpec, on_done: Callable[[str], None]) -> LabelerHost:
        """The replicas of its labeler, shared with campaigns that ask the same one; or what waits for people."""
        info = self.parts(spec).labeler.info
        if info.delivery == "pull":
            return ExternalHost(info)
        with self._lock:
            key = self._users[campaign] = _labeler_key(spec)
            if key not in self._staffs:
                self._staffs[key] = Staff(self._duty(key, spec, info))
            return RayLabelerHost(self._staffs[key], on_done)

    def release(self, campaign: str) -> None:
        """Let go of the campaign's worker and replicas; what nobody wants for a while is ended."""
        with self._lock:
            self._crew.release(campaign)
            self._users.pop(campaign, None)
        self._parting.put_off(self._end_unused)

    def close(self) -> None:
        """End every actor."""
        self._parting.cancel()
        with self._lock:
            for staff in self._staffs.values():
                staff.close()
            self._staffs.clear()
            self._crew.close()
            self._keeping.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _end_unused(self) -> None:
        with self._lock:
            for key in set(self._staffs) - set(self._users.values()):
                self._staffs.pop(key).close()
            self._crew.dismiss_idle()

    def _duty(self, key: str, spec: CampaignSpec, info: LabelerInfo) -> Duty:
        runtime = spec.labeler.runtime or Runtime()
        return Duty(
            post=Post(self._seat, spec.canonical(), runtime),
            info=info,
            runtime=runtime,
            blobs=self.blobs,
            spool=None if info.effect == "pure" else self._spool,
            prefix=f"labeler-{self._name}-{digest_json(key)[:16]}",
            trouble=self.obstacle,
        )


def _labeler_key(spec: CampaignSpec) -> str:
    """What makes two campaigns ask the same labeler: its part, the pool that it may look into, and the seed."""
    return str(digest_json([spec.seed, spec.pool.canonical(), spec.labeler.canonical()]))
