"""For chaos: a labeler that bills what it is paid for and misbehaves as ordered, and a generator that takes its time.

An order is a file in ``orders/``: ``WHAT.N`` is used up by the call that takes it, ``sample-ID`` holds a WHAT and stays
there. WHAT: ``die``, ``hang``, ``raise``, ``nan``, ``shape``, ``dtype``, ``large``, ``leak``, ``stop``. Once
``held_after`` labels are billed, further ones wait for a file ``go``.
"""

import contextlib
import os
import signal
import time
import uuid
from pathlib import Path
from typing import Literal

import numpy as np

from dataeff_al.labeling.types import Label, LabelerInfo
from dataeff_al.registry import LabelerPlugin, Params, Plugin

HERE = "dataeff_al_plugin_billed"


class BilledParams(Params):
    folder: str
    effect: Literal["pure", "keyed", "queryable", "blind"] = "keyed"
    delay_s: float = 0.0
    limit_s: float = 20.0
    held_after: int | None = None


class Billed:
    def __init__(self, params, context):
        self._params, self._pool, self._folder = params, context.pool, Path(params.folder)
        for name in ("invoices", "orders"):
            (self._folder / name).mkdir(exist_ok=True)
        self.info = LabelerInfo("billed", "1", context.pool.target, params.effect, timeout_s=params.limit_s)

    def label(self, batch):
        return [self._one(request) for request in batch]

    def _one(self, request):
        self._bill(request)
        time.sleep(self._params.delay_s)
        self._wait_for_leave()
        truth = self._pool.answers([request.sample.id])[0]
        return MISDEEDS[self._order(request.sample.id)](truth)

    def _bill(self, request):
        """Whoever is asked twice under one key bills once; a blind labeler and a free one write down every call."""
        once = self._params.effect in ("keyed", "queryable")
        name = f"{request.sample.id}.{request.key}" + ("" if once else f".{uuid.uuid4().hex}")
        handle = os.open(self._folder / "invoices" / name, os.O_WRONLY | os.O_CREAT)
        os.write(handle, f"{os.getpid()}\n".encode())
        os.close(handle)

    def _wait_for_leave(self):
        most = self._params.held_after
        while most is not None and not (self._folder / "go").exists() and self._billed() > most:
            time.sleep(0.05)

    def _billed(self):
        return sum(1 for _ in (self._folder / "invoices").iterdir())

    def _order(self, sample_id):
        orders = self._folder / "orders"
        if (orders / f"sample-{sample_id}").exists():
            return (orders / f"sample-{sample_id}").read_text()
        for path in sorted(orders.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if not path.name.startswith("sample-"):
                    path.unlink()
                    return path.name.split(".")[0]
        return ""


class QueryableBilled(Billed):
    def lookup(self, key):
        found = list((self._folder / "invoices").glob(f"*.{key}"))
        return Label(self._pool.answers([found[0].name.split(".")[0]])[0]) if found else None


def fine(truth):
    return Label(truth)


def kill_oneself(truth):
    os.kill(os.getpid(), signal.SIGKILL)


def hang(truth):
    time.sleep(600)


def stop_oneself(truth):
    os.kill(os.getpid(), signal.SIGSTOP)
    return Label(truth)


def fail(truth):
    raise OSError("the line is down")


def leak(truth):
    kept = []
    while True:
        kept.append(np.ones(2**20))
        time.sleep(0.01)


MISDEEDS = {
    "": fine,
    "die": kill_oneself,
    "hang": hang,
    "stop": stop_oneself,
    "raise": fail,
    "leak": leak,
    "nan": lambda _: Label({"label": np.float64("nan")}, cost=0),
    "shape": lambda _: Label({"label": np.zeros((2, 2), np.int64)}, cost=0),
    "dtype": lambda _: Label({"label": np.array("three")}, cost=0),
    "large": lambda _: Label({"label": np.array(10**9)}, cost=0),
}


def build_labeler(params, context):
    return (QueryableBilled if params.effect == "queryable" else Billed)(params, context)


class SlowPcaParams(Params):
    latent_dim: int = 4
    delay_s: float = 0.0


def build_generator(params, context):
    from dataeff_al.generators.pca import Pca
    from dataeff_al.generators.spec import PcaParams

    class SlowPca(Pca):
        def fit(self, *args):
            time.sleep(params.delay_s)
            return super().fit(*args)

    return SlowPca(PcaParams(latent_dim=params.latent_dim), context.tensor)


BILLED = LabelerPlugin(
    kind="labelers",
    name="billed",
    summary="For tests.",
    params=BilledParams,
    build=f"{HERE}:build_labeler",
    needs=lambda _: frozenset({"answers"}),
)
SLOW_PCA = Plugin(
    kind="generators",
    name="slow_pca",
    summary="For tests.",
    params=SlowPcaParams,
    build=f"{HERE}:build_generator",
    offers=lambda _: frozenset({"latent", "decoder"}),
)
