"""The file in which an administrator registers programs for ``labeler: {kind: command}``."""

import json
from pathlib import Path

from pydantic import ValidationError

from dataeff_al.campaign.yaml_source import read
from dataeff_al.errors import DataeffError, SpecError
from dataeff_al.labeling.programs import Programs, register
from dataeff_al.sentences import findings


def register_programs(path: Path) -> None:
    """Read a file of programs and make them known to this process.

    Raises DataeffError when it cannot be read, SpecError with every broken rule.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataeffError(f"DATAEFF_PROGRAMS must name a readable file of programs, but got {error}.") from None
    given = read(text, str(path))
    broken = list(given.findings)
    try:
        found = Programs.model_validate_json(json.dumps(given.data))
    except ValidationError as error:
        broken += findings(error, Programs, given.data)
    if broken:
        raise SpecError([given.problem(finding) for finding in broken], str(path))
    folder = path.resolve().parent
    register({name: program.placed(folder) for name, program in found.programs.items()})
