"""Before a campaign runs: ``validate``, ``schema``, ``init``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options import AsJson, Campaign, Plugins, Set

if TYPE_CHECKING:
    from dataeff_al.campaign.spec import CampaignSpec
    from dataeff_al.errors import SpecError
    from services.runtime import Settings


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(validate)
    app.command()(schema)
    app.command()(init)


def validate(campaign: Campaign, settings: Set = None, plugins: Plugins = None, as_json: AsJson = False) -> int:
    """Check a campaign file and forecast its cost.

    Every error is reported at once, with its path and line.
    """
    from dataeff_al.errors import SpecError
    from services.cli.files import load_plugins, load_spec
    from services.runtime import Settings

    surroundings = Settings.from_environment()
    load_plugins(plugins or ())
    try:
        spec = load_spec(campaign, settings or (), surroundings)
    except SpecError as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"valid": False, "problems": _problems(error)}, indent=2))
        return 2
    _print_forecast(spec, campaign, surroundings, as_json)
    return 0


def _problems(error: "SpecError") -> list[dict[str, Any]]:
    return [{"path": each.path, "line": each.line, "message": each.message} for each in error.problems]


def _print_forecast(spec: "CampaignSpec", campaign: Path, surroundings: "Settings", as_json: bool) -> None:
    from dataeff_al.campaign import forecast

    made = forecast.forecast(spec, campaign.parent.resolve(), surroundings.data_root)
    if as_json:
        answer = {
            "valid": True,
            "name": spec.name,
            "digest": spec.digest,
            "forecast": [each.as_json() for each in made],
        }
        typer.echo(json.dumps(answer, indent=2))
        return
    typer.echo(f"{campaign.name} is valid.")
    for line in forecast.lines(made, spec.repeats):
        typer.echo(line)


def schema() -> None:
    """Print the JSON Schema of campaign files.

    Editors complete and check campaign files with it.
    """
    from dataeff_al.campaign.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def init(
    name: Annotated[str, typer.Argument(help="A shipped campaign; leave it out to list them.")] = "",
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE.yaml", help="Where to copy it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Copy a shipped campaign here, or list them."""
    from dataeff_al.campaign import shipped
    from dataeff_al.errors import DataeffError

    if not name:
        for known in shipped.names():
            typer.echo(f"{known:24}{shipped.summary(known)}")
        return
    source = shipped.path_of(name)
    target = to or Path(source.name)
    if target.exists() and not force:
        raise DataeffError(f"the file must not exist unless --force is given, but got {str(target)!r}.")
    target.write_bytes(source.read_bytes())
    typer.echo(f"Copied to {target}. Run it with: dataeff-al run {target}")
