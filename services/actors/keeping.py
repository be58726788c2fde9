"""Keeps the keeper: makes it, looks after it, ends it."""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from dataeff_al.errors import UnavailableError
from services.actors.answers import SHORT_S, all_is_well, answer, end
from services.actors.keeper import find_keeper, make_keeper

log = logging.getLogger(__name__)
LOOK_S = 5.0


class Keeping:
    """The keeper of a run's folder, there from now until :meth:`close`. Raises UnavailableError when it cannot be made.

    Args:
        name: the keeper's name in the cluster.
        blobs: the folder of the blobs.
        spool: the folder of the spool.
        node: the id of this process's node, whose disk holds the folders.
        trouble: what is wrong with the cluster; empty when nothing is.
    """

    def __init__(
        self, name: str, blobs: Path, spool: Path, node: str, trouble: Callable[[], str] = all_is_well
    ) -> None:
        self.name, self._trouble = name, trouble
        self._made_from = (blobs, spool, node)
        self._closed = threading.Event()
        self._make()
        self._thread = threading.Thread(target=self._watch, name="keeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the keeper."""
        self._closed.set()
        if self._trouble():
            return
        self._thread.join(SHORT_S)
        with contextlib.suppress(Exception):  # a cluster that is gone has no keeper either
            keeper = find_keeper(self.name)
            if keeper is not None:
                end(keeper)

    def _make(self) -> None:
        make_keeper(self.name, *self._made_from)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_S) and not self._trouble():
            try:
                self._look()
            except Exception as error:  # a cluster that is gone may come back
                log.warning("the keeper cannot be made: %s", error)

    def _look(self) -> None:
        try:
            keeper = find_keeper(self.name)
            if keeper is None:
                self._make()
            else:
                answer(keeper.ping.remote(), SHORT_S)
        except UnavailableError:
            self._make()
