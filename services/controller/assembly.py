"""A controller with everything below it: the record, the blobs, the hosts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from dataeff_al.campaign.hosts import Hosts
from dataeff_al.campaign.place import Place
from dataeff_al.rpc import convert
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.open import BLOBS, open_store
from dataeff_al.stores.protocol import Store
from services.controller.confined import Admission
from services.controller.controller import Controller
from services.controller.families import Conduct, Families
from services.controller.feed import Feed

CAMPAIGNS = "campaigns"
OpenHosts = Callable[[Place], AbstractContextManager[Hosts]]


def inline_hosts(place: Place) -> AbstractContextManager[Hosts]:
    """Work is done in this process."""
    return place.inline_hosts()


def ray_hosts(cpus: int | None = None, plugins: tuple[Path, ...] = (), *, revive: bool = False) -> OpenHosts:
    """Work is done in Ray actors; Ray is imported, and started or joined, when the hosts are opened.

    ``revive``: open a Ray anew when it was lost, as a service does; a run comes to rest and is run again.
    """

    @contextmanager
    def opened(place: Place) -> Iterator[Hosts]:
        from services.actors.cluster import ClusterSettings, open_cluster  # Ray need not be installed
        from services.actors.hosts import RayHosts
        from services.actors.reviving import RevivingHosts

        settings = ClusterSettings.from_environment()
        wanted = ClusterSettings(settings.address, cpus or settings.cpus)
        if revive:
            with RevivingHosts(wanted, place, plugins) as reviving:
                yield reviving
            return
        with open_cluster(wanted) as cluster, RayHosts(cluster, place, plugins) as hosts:
            yield hosts

    return opened


@contextmanager
def controller_over(
    store: Store, hosts: Hosts, admission: Admission, folder_of: Callable[[str], Path], conduct: Conduct
) -> Iterator[Controller]:
    """A controller over an open record; at the end nothing new is begun, and what runs is left alone."""
    families = Families(Feed(store, convert.event_message), hosts, folder_of, conduct)
    try:
        yield Controller(families, admission)
    finally:
        families.drain(0)


@contextmanager
def controller_at(
    folder: Path, record: str | None, admission: Admission, open_hosts: OpenHosts, most: int
) -> Iterator[Controller]:
    """A controller of a store: ``folder`` holds the blobs and outcomes, and the record unless ``record`` is its URL.

    Raises LockedError when another controller holds the record, DataError when the folder cannot be written.
    """
    place = Place(folder, admission.base_dir, admission.data_root)
    place.check()
    store = open_store(record or folder, writer=True)
    conduct = Conduct(most=most, obstacle=place.obstacle)
    try:
        FileBlobs(folder / BLOBS).sweep()
        with (
            open_hosts(place) as hosts,
            controller_over(store, hosts, admission, lambda name: folder / CAMPAIGNS / name, conduct) as made,
        ):
            yield made
    finally:
        store.close()


def already_open(hosts: Hosts) -> OpenHosts:
    """Hosts that somebody else opened and will close."""
    return lambda _: nullcontext(hosts)
