"""The file in which an administrator registers who may answer: programs of this machine, and services elsewhere."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dataeff_al.campaign.yaml_source import read
from dataeff_al.errors import DataeffError, SpecError
from dataeff_al.labeling.programs import PROGRAMS, Program
from dataeff_al.labeling.registered import Name
from dataeff_al.labeling.services import SERVICES, Service
from dataeff_al.parts import Strict
from dataeff_al.sentences import findings


class Registration(Strict):
    """What stands in the file."""

    programs: Annotated[dict[Name, Program], Field(default_factory=dict)]
    services: Annotated[dict[Name, Service], Field(default_factory=dict)]


def register_file(path: Path) -> None:
    """Read a file of programs and services, and make them known to this process.

    Raises DataeffError when it cannot be read, SpecError with every broken rule.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataeffError(f"DATAEFF_PROGRAMS must name a readable file of programs, but got {error}.") from None
    given = read(text, str(path))
    broken = list(given.findings)
    try:
        found = Registration.model_validate_json(json.dumps(given.data))
    except ValidationError as error:
        broken += findings(error, Registration, given.data)
    if broken:
        raise SpecError([given.problem(finding) for finding in broken], str(path))
    folder = path.resolve().parent
    PROGRAMS.register({name: program.placed(folder) for name, program in found.programs.items()})
    SERVICES.register({name: service.placed(folder) for name, service in found.services.items()})
