"""The worker: an ordinary class that does a campaign's steps. It holds no truth: tasks come in, results go out.

Every method takes the ref of a task (:mod:`dataeff_al.campaign.tasks`) and returns the ref of its result, both JSON.
The same task gives the same result wherever and whenever it runs, so that a step may be done again after a crash.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataeff_al.blobs import Blobs, put_all
from dataeff_al.campaign.owned import owned_labels
from dataeff_al.campaign.served import pack_predictions, samples_in
from dataeff_al.campaign.showing import as_shown, stages
from dataeff_al.campaign.tasks import Task
from dataeff_al.campaign.training import assembled, trained, trained_member
from dataeff_al.campaign.views import Desk
from dataeff_al.digests import Ref, canonical_json, digest_json
from dataeff_al.errors import DataError
from dataeff_al.events import account_of
from dataeff_al.labeling.packing import pack_request
from dataeff_al.labeling.types import Request
from dataeff_al.learners.predicting import ROWS, predictions, predictions_where_defined
from dataeff_al.learners.protocol import Learner
from dataeff_al.metrics import evaluate, sample_errors
from dataeff_al.numerics import prepare_thread
from dataeff_al.randomness import seed_for
from dataeff_al.samplers.protocol import Proposal, Sampler
from dataeff_al.samples.content import content_digest, content_digests
from dataeff_al.samples.declared import samples_to_json
from dataeff_al.samples.gate import CountingGate
from dataeff_al.samples.splits import split_pool
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.stores.arrays import pack
from dataeff_al.view import View

Read = Callable[[Sequence[SampleId]], Sequence[Sample]]
CASES = 3
HELD_OUT = "equal to a validation or test sample"


class Worker:
    """Does a campaign's steps; keeps parts and models it has loaded, by digest.

    It is made in the thread that uses it, which it sets up for computing (:mod:`dataeff_al.numerics`).

    Args:
        blobs: where tasks and arrays come from and results go.
        base_dir: the campaign file's folder.
        data_root: the shared data folder, or None.
    """

    def __init__(self, blobs: Blobs, base_dir: Path, data_root: Path | None) -> None:
        self._blobs = blobs
        self._desk = Desk(blobs, base_dir, data_root)
        prepare_thread()

    def prepare_pool(self, task_ref: Ref) -> Ref:
        """Read the pool, check it and split it."""
        task = self._desk.json(task_ref)
        parts, evaluation = self._desk.parts(task), task["spec"]["evaluation"]
        # A model that does not fit the samples is refused before anything is bought.
        parts.new_learner(self._desk.target(task))(0)
        split = split_pool(
            parts.pool, validation=evaluation["validation"], test=evaluation["test"], seed=parts.spec.seed
        )
        wanted = evaluation["reference"]
        reference = len(split.pool) if wanted == "full" else wanted
        real = 0 if "synthesised" in parts.spec.sampler.needs else task["spec"]["budget"]["total"] // task["max_cost"]
        _check_room(len(split.pool), max(real, reference), len(split.removed))
        roles = {"pool": split.pool, "validation": split.validation, "test": split.test, "removed": split.removed}
        lists: Task = {role: list(ids) for role, ids in roles.items()}
        held_out = content_digests(parts.pool, [*split.validation, *split.test])
        lists["held_out"] = sorted(set(held_out.values()))
        bought = len(split.validation) + len(split.test) + reference
        return self._result(
            splits=self._json({**lists, "samples": samples_to_json(parts.pool.spec)}),
            pool_digest=parts.pool.digest,
            holdout_digest=digest_json([held_out[sample_id] for sample_id in split.test]),
            candidates=len(split.pool),
            evaluation_budget=bought * task["max_cost"],
        )

    def import_labels(self, task_ref: Ref) -> Ref:
        """Take over the labels that the user owns already."""
        task = self._desk.json(task_ref)
        parts = self._desk.parts(task)
        path = parts.pool_context.base_dir / task["spec"]["initial"]["labels"]
        rows = owned_labels(path, parts.pool, self._desk.target(task), self._desk.json(task["splits"]))
        return self._result(
            labels=[
                {"query": query, "label": label}
                for query, label in zip(
                    self._queries(task, [own for own, _ in rows], [None] * len(rows)),
                    put_all(self._blobs, [label for _, label in rows]),
                    strict=True,
                )
            ]
        )

    def fit_generator(self, task_ref: Ref) -> Ref:
        """Learn the data manifold from the candidates alone, and embed them."""
        task = self._desk.json(task_ref)
        parts, ids = self._desk.parts(task), self._desk.json(task["splits"])["pool"]
        generator = parts.generator()
        assert generator is not None
        report = generator.fit(parts.pool, ids, parts.codec, parts.seed("generator"))
        with torch.no_grad():
            blocks = [generator.encode(parts.codec.soften(samples)) for samples in _read(parts.pool.read, ids)]
        return self._result(
            generator=self._blobs.put(generator.state()),
            latents=self._blobs.put(pack({"z": torch.cat(blocks).numpy()})),
            error=report.error,
            mean_error=report.mean_error,
        )

    def propose(self, task_ref: Ref) -> Ref:
        """Choose what to ask next, for the task's purpose."""
        task = self._desk.json(task_ref)
        parts, purpose, n = self._desk.parts(task), task["purpose"], task["n"]
        splits = self._desk.json(task["splits"])
        rng = np.random.default_rng(parts.seed("propose", purpose, task["round"]))
        sampler = parts.sampler(initial=purpose == "initial")
        refusals: Counter[str] = Counter()
        if purpose in ("validation", "test"):
            proposals = [Proposal(SampleId(key)) for key in splits[purpose]]
        elif purpose == "reference" or sampler is None:
            proposals = [Proposal(SampleId(splits["pool"][row])) for row in _drawn(rng, len(splits["pool"]), n)]
        else:
            view = self._desk.view(task, self._desk.learner(task, task["model"]))
            gate = CountingGate(view.codec)
            proposals, refusals = _chosen(sampler, replace(view, codec=gate), n, rng), gate.refusals
        proposals = proposals[: task.get("most")]
        samples = self._samples(task, proposals)
        queries = self._queries(task, samples, proposals)
        kept = [query for query in queries if not query["synthesised"] or query["content"] not in splits["held_out"]]
        regimes = dict(Counter(proposal.regime for proposal in proposals if proposal.regime))
        refusals.update({HELD_OUT: len(queries) - len(kept)})
        return self._result(queries=kept, refused=refusals.total(), refusals=dict(+refusals), regimes=regimes)

    def train(self, task_ref: Ref) -> Ref:
        """Fit a model; of a committee, one member after another."""
        members = self._desk.parts(self._desk.json(task_ref)).spec.trainer.members
        if members > 1:
            return self.assemble(task_ref, *(self.train_member(task_ref, number) for number in range(members)))
        return self._result(**trained(self._desk, self._desk.json(task_ref)))

    def train_member(self, task_ref: Ref, number: int) -> Ref:
        """Fit one member of a committee, which :meth:`assemble` takes."""
        return self._result(**trained_member(self._desk, self._desk.json(task_ref), number))

    def assemble(self, task_ref: Ref, *members: Ref) -> Ref:
        """Make the members one model, in the order of their numbers; the result is that of :meth:`train`."""
        return self._result(**assembled(self._desk, self._desk.json(task_ref), members))

    def evaluate(self, task_ref: Ref) -> Ref:
        """Measure a model on the validation and the test split."""
        task = self._desk.json(task_ref)
        learner = self._desk.learner(task, task["model"])
        assert learner is not None
        validation, _ = self._measured(task, learner, task["validation"])
        test, predicted = self._measured(task, learner, task["test"])
        return self._result(validation=validation, test=test, cases=self._cases(task, predicted))

    def predict(self, task_ref: Ref) -> Ref:
        """What a model says of packed samples, packed under the contract's keys."""
        task = self._desk.json(task_ref)
        learner = self._desk.learner(task, task["model"])
        assert learner is not None
        parts, target = self._desk.parts(task), self._desk.target(task)
        samples = samples_in(self._blobs.get(Ref(task["samples"])))
        predicted = predictions_where_defined(learner, parts.codec, parts.pool.spec, target, samples)
        return self._blobs.put(pack_predictions(target, predicted, about=task["samples"]))

    def _measured(self, task: Task, learner: Learner, rows: Sequence[Any]) -> tuple[dict[str, float], np.ndarray]:
        if not rows:
            return {}, np.zeros(0)
        data = self._desk.all_labelled(rows)
        prediction = predictions(learner, self._desk.parts(task).codec.soften, [item.sample for item in data])
        return evaluate(self._desk.target(task), prediction, [item.label for item in data]), prediction

    def _cases(self, task: Task, prediction: np.ndarray) -> Ref | None:
        """The best and the worst test samples with what was predicted, for the report."""
        if not len(prediction):
            return None
        labels = [self._desk.labelled(row).label for row in task["test"]]
        errors = sample_errors(self._desk.target(task), prediction, labels)
        order = np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")
        order = order[np.isfinite(errors[order])]
        chosen = list(dict.fromkeys([*order[:CASES].tolist(), *order[::-1][:CASES].tolist()]))
        rows = [task["test"][place] for place in chosen]
        meta = {"rows": rows, "best": min(CASES, len(chosen))}
        shown = {"prediction": as_shown(self._desk.target(task), prediction[chosen]), "error": errors[chosen]}
        return self._blobs.put(pack(shown | self._stages(task, rows), meta))

    def _stages(self, task: Task, rows: Sequence[Any]) -> dict[str, np.ndarray]:
        """What a model of several stages answered at each of them, ``stage:<name>`` to class codes; often nothing."""
        learner = self._desk.learner(task, task["model"])
        if learner is None or "stages" not in learner.offers:
            return {}
        soften, samples = self._desk.parts(task).codec.soften, [self._desk.sample(row) for row in rows]
        return {f"stage:{name}": codes for name, codes in stages(learner, soften, samples).items()}

    def _samples(self, task: Task, proposals: Sequence[Proposal]) -> list[Sample]:
        """The proposed samples themselves, read from the pool in one go where they are real."""
        real = [p.sample for p in proposals if not isinstance(p.sample, Sample)]
        read = iter(self._desk.parts(task).pool.read(real))
        return [p.sample if isinstance(p.sample, Sample) else next(read) for p in proposals]

    def _queries(
        self, task: Task, samples: Sequence[Sample], proposals: Sequence[Proposal | None]
    ) -> list[dict[str, Any]]:
        """What is asked about each sample, and how it was found."""
        contents, seed = [content_digest(sample) for sample in samples], task["spec"]["seed"]
        measures = self._measures(task)
        requests = [
            pack_request(Request("", sample, seed=seed_for(seed, "label", content), measures=measures))
            for sample, content in zip(samples, contents, strict=True)
        ]
        rows = zip(samples, contents, put_all(self._blobs, requests), proposals, strict=True)
        return [
            {
                "payload": sample.id,
                "request": request,
                "content": content,
                "synthesised": proposal is not None and isinstance(proposal.sample, Sample),
                "provenance": self._provenance(task, proposal) if proposal is not None else None,
            }
            for sample, content, request, proposal in rows
        ]

    def _measures(self, task: Task) -> bool:
        """Whether the labeler is told that these labels only measure: one that answers all alike need not know."""
        told = "measuring" in self._desk.parts(task).spec.labeler.offers
        return told and account_of(task.get("purpose", "initial")) == "evaluation"

    def _provenance(self, task: Task, proposal: Proposal) -> Ref | None:
        arrays = {"latent": proposal.latent, "path": proposal.path}
        given = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items() if array is not None}
        if not given and proposal.parent is None and not proposal.score:
            return None
        meta = {"parent": proposal.parent, "score": float(proposal.score), "step": proposal.step}
        return self._blobs.put(pack(given, {**meta, "model": task.get("model"), "seed": task["spec"]["seed"]}))

    def _json(self, value: Any) -> Ref:
        return self._blobs.put(canonical_json(value))

    def _result(self, **values: Any) -> Ref:
        try:
            return self._json(values)
        except (TypeError, ValueError) as error:
            raise DataError(f"a step's result must be finite numbers and plain text, but got {error}.") from error


def _read(read: Read, ids: Sequence[SampleId]) -> Iterator[Sequence[Sample]]:
    return (read(ids[at : at + ROWS]) for at in range(0, len(ids), ROWS))


def _drawn(rng: np.random.Generator, size: int, n: int) -> list[int]:
    return [int(row) for row in rng.permutation(size)[:n]]


def _chosen(sampler: Sampler, view: View, n: int, rng: np.random.Generator) -> list[Proposal]:
    """The sampler's choice; nothing when the pool is used up and the sampler invents no samples.

    Raises DataError when it chose a sample twice, or one that is not free.
    """
    if not view.unlabelled and "synthesised" not in sampler.needs:
        return []
    proposals = list(sampler.propose(view, n, rng))[:n]
    real = [proposal.sample for proposal in proposals if not isinstance(proposal.sample, Sample)]
    free = set(view.unlabelled)
    wrong = [sample_id for row, sample_id in enumerate(real) if sample_id not in free or sample_id in real[:row]]
    if wrong:
        raise DataError(f"a sampler must choose different samples that may still be asked for, but got {wrong[0]!r}.")
    return proposals


def _check_room(candidates: int, wanted: int, copies: int) -> None:
    if wanted > candidates:
        apart = f"and {copies} copies of other samples were set apart" if copies else "were set apart"
        raise DataError(
            f"the pool must hold at least as many candidates as labels are to be bought ({wanted}), but got "
            f"{candidates} after the validation and test samples {apart}."
        )
