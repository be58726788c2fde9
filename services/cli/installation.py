"""What is installed: ``plugins``, ``version``, ``failpoints``."""

import json
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import typer

from services.cli.options import AsJson

_SHOWN = ("numpy", "pydantic", "torch", "scipy", "scikit-learn", "numba", "ray", "grpcio", "sqlalchemy")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(plugins)
    app.command()(version)
    app.command()(failpoints)


def plugins(as_json: AsJson = False) -> None:
    """List the plugins that campaigns may name."""
    from dataeff_al.installed import everything

    rows = [
        {
            "kind": entry.kind,
            "name": entry.name,
            "summary": entry.plugin.summary if entry.plugin else "",
            "broken": entry.error,
        }
        for entry in everything()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    shown = ""
    for row in rows:
        if row["kind"] != shown:
            shown = row["kind"]
            typer.echo(shown)
        typer.echo(f"  {row['name']:20}" + (f"BROKEN: {row['broken']}" if row["broken"] else row["summary"]))


def version(as_json: AsJson = False) -> None:
    """Print the versions of this installation."""
    found = versions()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, number in found.items():
        typer.echo(f"{name:16}{number or 'not installed'}")


def failpoints(as_json: AsJson = False) -> None:
    """List the points at which tests kill a process.

    DATAEFF_FAILPOINT=NAME:N=kill in the environment kills a command there, the N-th time that it comes by.
    """
    from dataeff_al.failpoints import POINTS

    if as_json:
        typer.echo(json.dumps(dict(POINTS), indent=2))
        return
    for name, what in POINTS.items():
        typer.echo(f"{name:24}{what}")


def versions() -> dict[str, str | None]:
    """Versions by package name, from metadata alone; None when not installed."""
    own = {"dataeff-al": _version("dataeff-al"), "python": platform.python_version(), "platform": platform.platform()}
    return {**own, **{name: _version(name) for name in _SHOWN}}


def _version(name: str) -> str | None:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return None
