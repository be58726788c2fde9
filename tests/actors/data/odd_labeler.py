"""A labeler for tests that misbehaves on demand: a sample's id says how. Every call leaves a file, like an invoice."""

import os
import signal
import time
import uuid
from pathlib import Path
from typing import Literal

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label, LabelerInfo
from dataeff_al.registry import LabelerPlugin, Params, PoolPlugin
from dataeff_al.samples.types import TargetSpec

HERE = "dataeff_al_plugin_odd_labeler"


class OddParams(Params):
    effect: Literal["pure", "keyed", "queryable", "blind"] = "pure"
    calls: str
    delay_s: float = 0.0
    broken: bool = False


class OddLabeler:
    def __init__(self, params, context):
        if params.broken:
            raise DataError("the licence must be valid, but got none.")
        self._calls, self._delay_s = Path(params.calls), params.delay_s
        target = TargetSpec("label", "class", (), ("a", "b"))
        self.info = LabelerInfo("odd", "1", target, params.effect, timeout_s=params.delay_s + 3.0)

    def label(self, batch):
        return [self._one(request) for request in batch]

    def _one(self, request):
        how = request.sample.id.split("-")[0]
        earlier = self._invoices(request.key)
        (self._calls / f"{request.key}.{os.getpid()}.{uuid.uuid4().hex}").touch()
        if how == "die" or (how == "stumble" and not earlier):
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hang":
            time.sleep(600)
        time.sleep(self._delay_s)
        return Label({"label": np.array(1)})

    def _invoices(self, key):
        return list(self._calls.glob(f"{key}.*"))


class QueryableOddLabeler(OddLabeler):
    def lookup(self, key):
        return Label({"label": np.array(1)}) if self._invoices(key) else None


def build_labeler(params, context):
    return (QueryableOddLabeler if params.effect == "queryable" else OddLabeler)(params, context)


def build_pool(params, context):
    return None


ODD = LabelerPlugin(kind="labelers", name="odd", summary="For tests.", params=OddParams, build=f"{HERE}:build_labeler")
BARE = PoolPlugin(kind="pools", name="bare", summary="For tests: no pool.", params=Params, build=f"{HERE}:build_pool")
