"""Answers from a program that the administrator registered.

It gets what ``ask`` writes for people, and answers as they do for ``tell``: a program that answers the one answers the
other. Files: ``input.npz`` with the samples under the pool's names, their attempts as ``id``, their own ids as
``sample``, drafts as ``draft_NAME``; ``request.json`` with the form of the answers, seeds, fidelities and the
campaign's settings; ``output.npz``, which it writes, with ``id``, the answers under the target's name, and where it
likes ``valid``, ``confidence``, ``cost`` (whole numbers) and ``reason`` (texts: why there is no answer).
"""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataeff_al.campaign.questions import question_of, write_samples
from dataeff_al.errors import DataError, LabelingError
from dataeff_al.labeling.external import target_of
from dataeff_al.labeling.programs import PLACES, PROGRAMS
from dataeff_al.labeling.types import Label, LabelerContext, LabelerInfo, LabelFailure, Outcome, Request, Times
from dataeff_al.samples.columns import check_sample
from dataeff_al.samples.declared import target_to_json
from labelers.command.answers import read_outcomes
from labelers.command.running import NotBegunError, OutlastedError, run
from labelers.command.spec import CommandParams

GRACE_S = 30.0
"""What the host waits beyond the program's own time, which ends it first."""
FILES = ("input.npz", "output.npz", "request.json")


class CommandLabeler:
    """Hands samples to a program in files, and reads its answers.

    ::

        labeler = CommandLabeler(CommandParams(program="solver", target=target), LabelerContext(pool, base_dir, None))
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: CommandParams, context: LabelerContext) -> None:
        """Raises UnknownNameError for a program that is not registered here, LabelingError for one that is not there,
        CapabilityError when the pool has no grid that answers could have.
        """
        self._params, self._program, self._spec = params, PROGRAMS.get(params.program), context.pool.spec
        if shutil.which(self._program.command[0]) is None:
            name = self._program.command[0]
            raise LabelingError(f"program {params.program!r} must be a file that can be run, but got {name!r}.")
        self.info = LabelerInfo(
            name="command",
            version=f"{params.program}-{self._program.version}",
            target=target_of(params.target, self._spec),
            effect=self._program.effect,
            deterministic=self._program.deterministic,
            cost=params.cost,
            max_cost=params.most,
            preferred_batch=self._program.batch,
            timeout_s=self._program.timeout_s + GRACE_S,
            accepts_synthesised=params.synthesised,
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """The program's answers; samples that the pool could not hold are refused before it is called.

        Raises LabelingError when a call went wrong and may have cost something.
        """
        refusals = [self._unfit(request) for request in batch]
        asked = [request for request, reason in zip(batch, refusals, strict=True) if not reason]
        answers = iter(self._asked(asked) if asked else ())
        return [LabelFailure(reason) if reason else next(answers) for reason in refusals]

    def _unfit(self, request: Request) -> str:
        """Why a sample is none that the pool could hold; empty when it is one."""
        try:
            check_sample(request.sample, self._spec)
        except DataError as error:
            return str(error)
        return ""

    def _asked(self, batch: Sequence[Request]) -> list[Outcome]:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="dataeff-command-", ignore_cleanup_errors=True) as folder:
            outcomes = self._called(batch, Path(folder))
        times = Times(work_s=(time.perf_counter() - began) / len(batch))
        return [replace(item, times=times) if isinstance(item, Label) else item for item in outcomes]

    def _called(self, batch: Sequence[Request], folder: Path) -> list[Outcome]:
        given, answers, described = (folder / name for name in FILES)
        write_samples(given, self._spec, [question_of(request) for request in batch])
        described.write_text(json.dumps(self._described(batch)), encoding="utf-8")
        places = dict(zip(PLACES, (given, answers, described), strict=True))
        try:
            run(self._program, places, folder, self._program.timeout_s * len(batch))
        except NotBegunError as error:
            return [LabelFailure(str(error), "infra")] * len(batch)
        except OutlastedError as error:
            if self.info.effect == "pure":
                return [LabelFailure(str(error), "timeout")] * len(batch)
            raise
        return self._read(answers, batch)

    def _described(self, batch: Sequence[Request]) -> dict[str, Any]:
        """What a program may want to know beside the samples."""
        asked = [
            {"id": request.key, "sample": request.sample.id, "seed": request.seed, "fidelity": request.fidelity}
            for request in batch
        ]
        target = target_to_json(self.info.target)
        return {"target": target, "settings": self._params.settings, "requests": asked}

    def _read(self, path: Path, batch: Sequence[Request]) -> list[Outcome]:
        try:
            return read_outcomes(path, [request.key for request in batch], self.info)
        except DataError as error:
            reason = f"a program must write a file of answers: {error}"
        if self.info.effect == "pure" and len(batch) > 1:
            # Asked one by one, those whose answers are good are not lost with the others.
            raise LabelingError(reason)
        cost = 0 if self.info.effect == "pure" else self.info.cost
        return [LabelFailure(reason, "bad_label", cost)] * len(batch)
