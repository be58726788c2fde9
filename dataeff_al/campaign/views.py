"""From a task's rows of refs to the view that samplers and trainers get."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.tasks import Task
from dataeff_al.digests import Ref, digest_json
from dataeff_al.generators.protocol import Generator
from dataeff_al.labeling.packing import unpack_label, unpack_request
from dataeff_al.labeling.types import Label
from dataeff_al.learners.ensemble import restore
from dataeff_al.learners.protocol import Learner
from dataeff_al.samples.declared import target_from_json
from dataeff_al.samples.types import Sample, SampleId, TargetSpec
from dataeff_al.stores.arrays import unpack
from dataeff_al.view import Labelled, Latents, View

Row = Mapping[str, Any]
T = TypeVar("T")
ROWS_BYTES = 512 * 2**20


def _as_one(_: Any) -> int:
    return 1


class Kept:
    """The newest values by key, so that a worker loads what it needs once; the oldest give way.

    Args:
        most: what may be kept, together.
        weigh: what a value counts for.
    """

    def __init__(self, most: int, weigh: Callable[[Any], int] = _as_one) -> None:
        self._most, self._weigh, self._weight = most, weigh, 0
        self._values: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value of the key, made when it is not kept."""
        if key not in self._values:
            self._values[key] = value = make()
            self._weight += self._weigh(value)
            while self._weight > self._most and len(self._values) > 1:
                self._weight -= self._weigh(self._values.popitem(last=False)[1])
        self._values.move_to_end(key)
        return self._values[key]


def _bytes(row: Sample | Label) -> int:
    """What a sample or a label takes in memory, roughly."""
    arrays = row.fields if isinstance(row, Sample) else row.target
    return 512 + sum(array.nbytes for array in arrays.values())


class Desk:
    """What a worker has at hand: parts by description, models and rows by ref."""

    def __init__(self, blobs: Blobs, base_dir: Path, data_root: Path | None) -> None:
        self.blobs, self._base_dir, self._data_root = blobs, base_dir, data_root
        self._parts, self._models, self._rows = Kept(8), Kept(8), Kept(ROWS_BYTES, _bytes)

    def parts(self, task: Task) -> Parts:
        """The campaign's parts; twins share a pool, because its description is the same."""
        spec = task["spec"]
        return self._parts.get(digest_json(spec), lambda: self._new_parts(spec))

    def _new_parts(self, data: Mapping[str, Any]) -> Parts:
        parts = Parts(CampaignSpec.from_canonical(data), self._base_dir, self._data_root)
        shared = digest_json(["pool", data["pool"], data["seed"]])
        parts.pool = self._models.get(shared, lambda: parts.spec.pool.build(parts.pool_context))
        return parts

    def json(self, ref: str) -> Any:
        """A JSON blob."""
        return json.loads(self.blobs.get(Ref(ref)))

    def generator(self, task: Task) -> Generator | None:
        """The fitted data manifold, or None."""
        ref = task.get("generator")
        return self._models.get(ref, lambda: self._load_generator(task)) if ref else None

    def _load_generator(self, task: Task) -> Generator | None:
        generator = self.parts(task).generator()
        if generator is not None:
            generator.load(self.blobs.get(Ref(task["generator"])))
        return generator

    def learner(self, task: Task, ref: str | None) -> Learner | None:
        """The fitted model of that ref, or None."""
        if ref is None:
            return None
        make = self.parts(task).new_learner(target_from_json(task["target"]))
        return self._models.get(ref, lambda: restore(self.blobs.get(Ref(ref)), make))

    def sample(self, row: Row) -> Sample:
        """The sample of a row."""
        return self._rows.get(row["request"], lambda: unpack_request(self.blobs.get(Ref(row["request"])), "").sample)

    def labelled(self, row: Row) -> Labelled:
        """A row's sample with its label."""
        label = self._rows.get(row["label"], lambda: unpack_label(self.blobs.get(Ref(row["label"]))))
        return Labelled(self.sample(row), label, row["round"], row["synthesised"])

    def all_labelled(self, rows: Sequence[Row]) -> list[Labelled]:
        """All rows' samples with their labels."""
        return [self.labelled(row) for row in rows]

    def latents(self, task: Task) -> Latents | None:
        """The pool's latent table, or None."""
        ref = task.get("latents")
        return self._models.get(ref, lambda: self._load_latents(task, ref)) if ref else None

    def _load_latents(self, task: Task, ref: str) -> Latents:
        fields, _ = unpack(self.blobs.get(Ref(ref)))
        return Latents(self.json(task["splits"])["pool"], fields["z"])

    def view(self, task: Task, learner: Learner | None) -> View:
        """Everything that a sampler or trainer may see."""
        parts, target = self.parts(task), target_from_json(task["target"])
        asked = [*task["labelled"], *task.get("asked", [])]
        taken = {row["payload"] for row in asked if not row["synthesised"]}
        return View(
            pool=parts.pool,
            codec=parts.codec,
            target=target,
            generator=self.generator(task),
            latents=self.latents(task),
            learner=learner,
            new_learner=parts.new_learner(target),
            priors=parts.priors,
            labelled=self.all_labelled(task["labelled"]),
            validation=self.all_labelled(task["validation"]),
            unlabelled=[SampleId(key) for key in self.json(task["splits"])["pool"] if key not in taken],
            pending=[self.sample(row) for row in task.get("asked", [])],
            round=task["round"],
        )

    def target(self, task: Task) -> TargetSpec:
        """The form of the labels."""
        return target_from_json(task["target"])
