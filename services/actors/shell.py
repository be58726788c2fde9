"""The worker inside its actor."""

import time
from typing import Any

from dataeff_al import __version__
from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError, UnavailableError
from services.actors.seat import Seat


class WorkerShell:
    """A thin shell: the worker is made at the first call, so that what keeps it from being made is told."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._worker: Any = None

    def ready(self) -> str:
        """Get ready; the version of this package here."""
        try:
            if self._worker is None:
                self._worker = _new_worker(self._seat)
        except DataeffError as error:
            raise DataeffError(str(error)) from None
        return __version__

    def call(self, method: str, *args: Ref | str | int) -> tuple[Ref, float]:
        """Do a step; its result and how long it took [s]."""
        self.ready()
        began = time.monotonic()
        try:
            return getattr(self._worker, method)(*args), time.monotonic() - began
        except UnavailableError:
            raise
        except DataeffError as error:
            # Errors that carry more than a text do not survive the journey; the driver needs the text.
            raise DataeffError(str(error)) from None


def _new_worker(seat: Seat) -> Any:
    line = seat.settle()
    # Torch may be imported only after the number of threads is set.
    import torch

    from dataeff_al.campaign.worker import Worker

    torch.set_num_threads(1)
    return Worker(seat.blobs(line), seat.base_dir, seat.data_root)
