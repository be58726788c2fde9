"""Labelers that write an invoice for every call that they are paid for, and misbehave as told by files beside them.

``hang``, ``raise``, ``nan``, ``die``: a file of that name makes the next call do so; ``die`` is used up by it.
"""

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dataeff_al.labeling.types import Label, LabelerInfo, LabelFailure
from dataeff_al.registry import LabelerPlugin, Params


class CountedParams(Params):
    effect: Literal["pure", "keyed", "queryable", "blind"] = "pure"
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    batch: int = 1


class Counted:
    def __init__(self, params: CountedParams, context: Any) -> None:
        self._params, self._pool, self._folder = params, context.pool, Path(context.base_dir)
        (self._folder / "invoices").mkdir(exist_ok=True)
        self.info = LabelerInfo(
            name="counted",
            version="1",
            target=context.pool.target,
            effect=params.effect,
            preferred_batch=params.batch,
            timeout_s=60.0,
        )

    def label(self, batch):
        return [self._one(request) for request in batch]

    def lookup(self, key):
        if self._params.effect != "queryable":
            raise NotImplementedError
        found = list((self._folder / "invoices").glob(f"{key}.*"))
        return self._answer(found[0].suffix[1:]) if found else None

    def _one(self, request):
        time.sleep(self._params.delay_s)
        if self._told("hang"):
            time.sleep(600)
        self._bill(request.key, request.sample.id)
        if self._told("die"):
            (self._folder / "die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if self._told("raise"):
            raise OSError("the line is down")
        if self._told("nan"):
            return Label({"label": np.float64("nan")})
        if self._told("refuse"):
            return LabelFailure("nothing to be seen")
        return self._answer(request.sample.id)

    def _answer(self, sample_id):
        return Label(self._pool.answers([sample_id])[0])

    def _told(self, what):
        return (self._folder / what).exists()

    def _bill(self, key, sample_id):
        """A blind labeler bills every call, the others one key once."""
        name = f"{key}.{sample_id}"
        if self._params.effect == "blind":
            name += f".{time.monotonic_ns()}"
        handle = os.open(self._folder / "invoices" / name, os.O_WRONLY | os.O_CREAT)
        os.fsync(handle)
        os.close(handle)


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="counted",
    summary="answers and bills",
    params=CountedParams,
    build="dataeff_al_plugin_counted:Counted",
    needs=lambda _: frozenset({"answers"}),
)
