"""A labeler that says whether a picture is bright, and writes an invoice for every call into the folder it runs in.

``die``: a file of that name makes the next call end the process, once.
"""

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dataeff_al.labeling.types import Deferred, Label, LabelerInfo, LabelFailure
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.samples.types import TargetSpec


class BillingParams(Params):
    effect: Literal["pure", "keyed", "blind"] = "pure"
    delay_s: Annotated[float, Field(ge=0)] = 0.0
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    batch: int = 4
    cost: int = 1
    synthesised: bool = False


class Billing:
    def __init__(self, params: BillingParams, context: Any) -> None:
        self._params, self._input = params, context.pool.spec.input
        self._folder = Path(context.base_dir)
        self.info = LabelerInfo(
            name="billing",
            version="3",
            target=TargetSpec("label", "class", (), ("dark", "bright")),
            effect=params.effect,
            cost=params.cost,
            max_cost=max(params.cost, 1),
            preferred_batch=params.batch,
            timeout_s=params.timeout_s,
            accepts_synthesised=params.synthesised,
        )

    def label(self, batch):
        return [self._one(request) for request in batch]

    def _one(self, request):
        time.sleep(self._params.delay_s)
        (self._folder / f"invoice-{request.key}-{time.monotonic_ns()}").touch()
        if (self._folder / "die").exists():
            (self._folder / "die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        if request.fidelity == "refuse":
            return LabelFailure("nothing to be seen", cost=1)
        bright = Label({"label": np.int64(request.sample.fields[self._input].mean() > 0.3)}, cost=self._params.cost)
        return Deferred(bright, 0.25, "too near") if request.fidelity == "defer" else bright


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="billing",
    summary="answers and bills",
    params=BillingParams,
    build="dataeff_al_plugin_billing:Billing",
)
