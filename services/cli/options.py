"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Campaign = Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml", help="The campaign file.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A campaign's id, or a run's folder.")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="HOST:PORT", help="The controller; DATAEFF_TARGET or 127.0.0.1:7460 by default."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be given several times."),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Load plugins from a Python file; may be given several times."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
