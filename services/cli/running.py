"""Running a campaign and looking after its folder: ``run``, ``report``, ``fsck``, ``settle``."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from services.cli import settling
from services.cli.options import AsJson, Campaign, Plugins, Set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataeff_al.campaign.spec import CampaignSpec
    from dataeff_al.campaign.state import State
    from services.inline import Ended

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]
REACHED, SPENT, PAUSED, FAILED = 0, 3, 4, 1


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(run)
    app.command()(report)
    app.command()(fsck)
    settling.add_to(app)


def run(
    campaign: Campaign,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder; runs/NAME by default.")] = None,
    settings: Set = None,
    plugins: Plugins = None,
    inline: Annotated[bool, typer.Option("--inline", help="No Ray, no server: everything in this process.")] = False,
    drawn: Annotated[bool, typer.Option("--report/--no-report", help="Draw the report, which takes seconds.")] = True,
    as_json: AsJson = False,
) -> int:
    """Run a campaign, or go on with it when DIR holds it already.

    Ends with 0 when the target is reached (or none was set), 3 when the budget is spent first, 4 when the campaign is
    paused or waits for somebody, 1 when an error stopped it.
    """
    from services.cli.files import load_plugins, load_spec
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    surroundings = Settings.from_environment()
    load_plugins(plugins or ())
    spec = load_spec(campaign, settings or (), surroundings)
    folder = out or Path("runs") / spec.name
    given = (spec, folder, campaign.parent.resolve(), surroundings.data_root)
    try:
        if inline:
            done = _inline(*given, quiet=as_json, report=drawn)
        else:
            done = _through_controller(*given, plugins or (), quiet=as_json, report=drawn)
    except KeyboardInterrupt:
        _leave_at_once()
    _say(done.summary, folder, as_json)
    explain(done.states, folder)
    return exit_code(done.states)


def _inline(
    spec: "CampaignSpec", folder: Path, base_dir: Path, data_root: Path | None, *, quiet: bool, report: bool
) -> "Ended":
    from services.inline import InlineRun

    return InlineRun(spec, folder, base_dir, data_root, quiet, report=report).run()


def _through_controller(
    spec: "CampaignSpec",
    folder: Path,
    base_dir: Path,
    data_root: Path | None,
    plugins: "Sequence[Path]",
    *,
    quiet: bool,
    report: bool,
) -> "Ended":
    from dataeff_al.campaign.place import Place
    from services.controller.assembly import ray_hosts
    from services.local import LocalRun

    return LocalRun(spec, Place(folder, base_dir, data_root), ray_hosts(plugins=tuple(plugins)), quiet, report).run()


def _leave_at_once() -> NoReturn:
    """What still runs in other threads is not waited for; the next run finds out what became of it."""
    sys.stderr.write("Stopped at once, with work in flight; run again to go on.\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(PAUSED)


def _say(summary: dict[str, Any], folder: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    if summary.get("saving"):
        typer.echo(f"Saving on the test samples: {summary['saving']['verdict']}")
    page = folder / "report.html"
    typer.echo(f"Report: {page}" if page.exists() else f"Run folder: {folder}")


def explain(states: "Sequence[State]", folder: Path) -> None:
    """Why a campaign has not come to its end, in one sentence on stderr."""
    unfinished = next((state for state in states if not state.finished), None)
    if unfinished is None:
        return
    if unfinished.cancelled:
        text = f"{unfinished.id} was cancelled"
    elif unfinished.paused is None:
        text = f"{unfinished.id} waits for {len(unfinished.live)} answers"
    else:
        word = "stopped" if unfinished.paused.cause == "error" else "is paused"
        text = f"{unfinished.id} {word}: {unfinished.paused.reason.rstrip('.')}"
    hint = f" (see: dataeff-al settle {folder})" if unfinished.unknown else ""
    sys.stderr.write(f"{text}{hint}.\n")


def exit_code(states: "Sequence[State]") -> int:
    """0 target reached or none set; 3 budget spent before; 4 paused or cancelled; 1 stopped by an error."""
    unfinished = next((state for state in states if not state.finished), None)
    if unfinished is not None:
        stopped = unfinished.paused is not None and unfinished.paused.cause == "error"
        return FAILED if stopped else PAUSED
    finished, created = states[0].finished, states[0].created
    aimed = created is not None and created.spec["stop"].get("target") is not None
    return SPENT if aimed and finished is not None and finished.outcome != "reached" else REACHED


def report(run: Run, plugins: Plugins = None) -> None:
    """Make a run's summary and report again from its record."""
    from services.cli.files import load_plugins
    from services.inline import remake
    from services.runtime import one_thread_each

    one_thread_each()
    load_plugins(plugins or ())
    page = remake(run)
    typer.echo(f"Report: {page}" if page.exists() else f"Nothing has been evaluated yet; the summary is in {run}.")


def fsck(
    run: Annotated[str, typer.Argument(metavar="RUN|STORE_URL", help="A run's folder, or the URL of a store.")],
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remake the tables from the event log.")] = False,
    invoices: Annotated[
        Path | None,
        typer.Option(
            "--invoices",
            metavar="FILE|DIR",
            help="What the labeler was paid for: an attempt's id a line, or a file named after each.",
        ),
    ] = None,
    blobs: Annotated[
        Path | None, typer.Option("--blobs", metavar="DIR", help="The blobs, where they are not beside the record.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check the record's invariants; ends with 1 when one is violated."""
    from services.checkup import check_record, read_invoices

    found = check_record(run, rebuild, read_invoices(invoices) if invoices else None, blobs)
    typer.echo(json.dumps(asdict(found), indent=2) if as_json else str(found))
    return 0 if found.ok else FAILED
