"""A plugin in the place of the ``contrastive`` encoder that keeps what was learnt.

Groups of one seed have the same encoder, whose fit takes longer than most methods. The first campaign that needs it
fits it, and others take it over: same parameters, same samples, same seed, same sources.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from dataeff_al import generators, learners
from dataeff_al.campaign.outcome import write_file
from dataeff_al.digests import canonical_json
from dataeff_al.generators import spec
from dataeff_al.generators.contrastive import Contrastive
from dataeff_al.generators.protocol import GeneratorContext, GeneratorReport
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.types import SampleId, TensorSpec

PLACE = Path(__file__).parent.parent / "cells" / "encoders"


class KeptContrastive(Contrastive):
    """``contrastive``, whose fit is done once on this machine."""

    def __init__(self, params: spec.ContrastiveParams, tensor: TensorSpec) -> None:
        super().__init__(params, tensor)
        self._stated = params.model_dump_json()

    def fit(self, pool: Pool, ids: Sequence[SampleId], codec: Codec, seed: int) -> GeneratorReport:
        """As the encoder's own, with the report of the first fit. Raises what that raises."""
        name = _name(self._stated, pool.digest, ids, seed)
        weights, report = PLACE / f"{name}.safetensors", PLACE / f"{name}.json"
        if report.exists():
            self.load(weights.read_bytes())
            return GeneratorReport(**json.loads(report.read_text(encoding="utf-8")))
        found = super().fit(pool, ids, codec, seed)
        PLACE.mkdir(parents=True, exist_ok=True)
        write_file(weights, self.state())
        write_file(report, canonical_json(asdict(found)))
        return found


def _name(stated: str, pool: str, ids: Sequence[SampleId], seed: int) -> str:
    """A name for all that the weights depend on, the code that learns them included."""
    found = hashlib.sha256(canonical_json([stated, pool, list(ids), seed, torch.__version__]))
    for package in (generators, learners):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:24]


def build(params: spec.ContrastiveParams, context: GeneratorContext) -> KeptContrastive:
    """The generator of a campaign. Raises CapabilityError for volumes and tables."""
    return KeptContrastive(params, context.tensor)


KEPT = replace(spec.CONTRASTIVE, summary="The contrastive encoder, fitted once on this machine.", build=build)
