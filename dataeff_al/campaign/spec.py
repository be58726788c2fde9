"""A campaign's immutable description, made from YAML: every broken rule at once, each with its path and line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from dataeff_al.campaign.draft import Draft
from dataeff_al.campaign.overrides import override
from dataeff_al.campaign.sections import (
    Budget,
    Evaluation,
    GeneratorPart,
    Initial,
    LabelerPart,
    LearnerPart,
    Name,
    Paradigm,
    PoolPart,
    PriorPart,
    RoundRule,
    SamplerPart,
    Stop,
    TrainerPart,
)
from dataeff_al.campaign.validate import check
from dataeff_al.campaign.yaml_source import Source, read
from dataeff_al.campaign.yaml_text import write
from dataeff_al.digests import Ref, digest_json
from dataeff_al.errors import SpecError
from dataeff_al.parts import Strict
from dataeff_al.sentences import Finding, FindingsError, findings, shown

MAX_TWINS = 16
MAX_REPEATS = 100
_PLACES = ("generator", "learner", "labeler")


class CampaignSpec(Strict):
    """What a campaign is: pool, parts, budget and target.

    Example::

        spec = CampaignSpec.parse(Path("vessel_stress.yaml").read_text(), base_dir=Path())
        spec.labeler.kind        # "fem_stress"
        spec.paradigm(0).name    # "random", the first twin of `compare`
    """

    version: Literal[1]
    name: Name
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    pool: PoolPart
    evaluation: Evaluation
    initial: Initial
    generator: GeneratorPart | None = None
    prior: tuple[PriorPart, ...] = ()
    learner: LearnerPart
    trainer: TrainerPart = Field(default={"kind": "standard"}, validate_default=True)
    labeler: LabelerPart
    sampler: SamplerPart
    budget: Budget
    stop: Stop
    round: RoundRule = RoundRule()
    compare: Annotated[tuple[Paradigm, ...], Field(max_length=MAX_TWINS)] = ()
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)] = 1

    @classmethod
    def parse(
        cls,
        text: str,
        base_dir: Path,
        data_root: Path | None = None,
        *,
        settings: Sequence[str] = (),
        source: str = "",
    ) -> CampaignSpec:
        """Read, change by ``settings`` (``key.path=value``) and validate a campaign file.

        Args:
            text: The YAML text.
            base_dir: Folder that relative file names in it are relative to.
            data_root: The shared data folder, or None.
            settings: What ``--set`` gave.
            source: The file's name, for messages.

        Raises:
            SpecError: With every broken rule.
        """
        given = override(read(text, source), settings)
        spec, found = _shape(cls, given.data)
        broken = {finding.loc for finding in given.findings}
        found = [*given.findings, *(finding for finding in found if finding.loc not in broken)]
        found += check(_draft(spec, given.data, found), base_dir, data_root)
        if found or spec is None:
            raise _refusal(given, found)
        return spec

    @classmethod
    def from_canonical(cls, data: Mapping[str, Any]) -> CampaignSpec:
        """The description that :meth:`canonical` wrote, without looking for files. Raises SpecError."""
        spec, found = _shape(cls, data)
        if spec is None:
            raise _refusal(Source(data, {}), found)
        return spec

    def canonical(self) -> dict[str, Any]:
        """The description as JSON, defaults written out."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The description as YAML, defaults written out; :meth:`parse` reads it back to the same digest."""
        return write(self.canonical())

    @property
    def digest(self) -> Ref:
        """Digest of the canonical form."""
        return digest_json(self.canonical())

    @property
    def identity(self) -> Ref:
        """Digest without ``runtime``: specs of one identity ask the same questions and train the same models."""
        data = self.canonical()
        for part in (data, *data["compare"]):
            for name in _PLACES:
                (part.get(name) or {}).pop("runtime", None)
        return digest_json(data)

    @property
    def twin_names(self) -> tuple[str, ...]:
        """A name for each twin of ``compare``; equal ones are numbered: ``random``, ``random-2``."""
        names: list[str] = []
        for twin in self.compare:
            base = twin.own_name[:56].rstrip("_+-")
            same = sum(name == base or name.startswith(f"{base}-") for name in names)
            names.append(f"{base}-{same + 1}" if same else base)
        return tuple(names)

    def paradigm(self, i: int) -> CampaignSpec:
        """The spec of twin ``i``: its parts in place of the campaign's, no twins of its own."""
        return self.model_copy(update={**self.compare[i].replaced, "name": self.twin_names[i], "compare": ()})


def _shape(model: type[CampaignSpec], data: Any) -> tuple[CampaignSpec | None, list[Finding]]:
    if not isinstance(data, Mapping):
        return None, [Finding((), "a campaign must be a mapping with keys such as pool and budget", shown(data))]
    try:
        return model.model_validate_json(json.dumps(data)), []
    except ValidationError as error:
        return None, findings(error, model, data)


def _draft(spec: CampaignSpec | None, data: Any, found: Sequence[Finding]) -> Draft:
    """What can be checked across parts: everything of a valid spec, the unbroken sections of another."""
    if spec is not None:
        return Draft.of(spec)
    broken = frozenset(str(finding.loc[0]) for finding in found if finding.loc)
    if not isinstance(data, Mapping):
        return Draft(broken=frozenset(CampaignSpec.model_fields))
    whole = {name: data[name] for name in Draft.model_fields if name in data and name not in broken}
    try:
        return Draft.model_validate_json(json.dumps({**whole, "broken": sorted(broken)}))
    except (ValidationError, FindingsError):
        return Draft(broken=frozenset(CampaignSpec.model_fields))


def _refusal(source: Source, found: Sequence[Finding]) -> SpecError:
    problems = {source.problem(finding): None for finding in found}
    return SpecError(sorted(problems, key=lambda problem: (problem.line, problem.path)), source.name)
