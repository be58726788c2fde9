"""Running a campaign and looking after its folder: ``run``, ``report``, ``fsck``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options import AsJson, Campaign, Plugins, Set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataeff_al.campaign.state import State

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]
REACHED, SPENT, PAUSED, FAILED = 0, 3, 4, 1


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(run)
    app.command()(report)
    app.command()(fsck)


def run(
    campaign: Campaign,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder; runs/NAME by default.")] = None,
    settings: Set = None,
    plugins: Plugins = None,
    inline: Annotated[bool, typer.Option("--inline", help="No Ray, no server: everything in this process.")] = False,  # noqa: ARG001
    as_json: AsJson = False,
) -> int:
    """Run a campaign, or go on with it when DIR holds it already.

    Ends with 0 when the target is reached (or none was set), 3 when the budget is spent first, 4 when interrupted.
    """
    from services.cli.files import load_plugins, load_spec
    from services.inline import InlineRun
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    surroundings = Settings.from_environment()
    load_plugins(plugins or ())
    spec = load_spec(campaign, settings or (), surroundings)
    folder = out or Path("runs") / spec.name
    done = InlineRun(spec, folder, campaign.parent.resolve(), surroundings.data_root, quiet=as_json).run()
    _say(done.summary, folder, as_json)
    return _exit_code(done.states)


def _say(summary: dict[str, Any], folder: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    if summary.get("saving"):
        typer.echo(f"Saving: {summary['saving']['verdict']}")
    page = folder / "report.html"
    typer.echo(f"Report: {page}" if page.exists() else f"Run folder: {folder}")


def _exit_code(states: "Sequence[State]") -> int:
    """0 target reached or none set; 3 budget spent before; 4 paused or cancelled; 1 stopped by an error."""
    unfinished = next((state for state in states if not state.finished), None)
    if unfinished is not None:
        stopped = unfinished.paused is not None and unfinished.paused.cause != "user"
        return FAILED if stopped else PAUSED
    finished, created = states[0].finished, states[0].created
    aimed = created is not None and created.spec["stop"].get("target") is not None
    return SPENT if aimed and finished is not None and finished.outcome != "reached" else REACHED


def report(run: Run) -> None:
    """Make a run's summary and report again from its record."""
    from services.inline import remake
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    typer.echo(f"Report: {remake(run, Settings.from_environment().data_root)}")


def fsck(
    run: Annotated[str, typer.Argument(metavar="RUN|STORE_URL", help="A run's folder, or the URL of a store.")],
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remake the tables from the event log.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check the record's invariants; ends with 1 when one is violated."""
    from services.checkup import check_record

    found = check_record(run, rebuild)
    typer.echo(json.dumps(asdict(found), indent=2) if as_json else str(found))
    return 0 if found.ok else FAILED
