"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Campaign = Annotated[Path, typer.Argument(metavar="CAMPAIGN.yaml", help="The campaign file.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change a value of the file; may be given several times."),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Load plugins from a Python file; may be given several times."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
