"""The service and its campaigns: ``serve``, ``submit``, ``list``, ``status``, ``watch``, ``pause`` and their like."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options import AsJson, Campaign, Plugins, Run, Set, Target
from services.cli.running import exit_code

if TYPE_CHECKING:
    from dataeff_al.campaign.state import State
    from dataeff_al.rpc.types import CampaignInfo

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for people.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (serve, submit, status, watch, pause, resume, cancel, extend):
        app.command()(command)
    app.command(name="list")(list_campaigns)


def serve(
    store: Annotated[Path, typer.Option("--store", metavar="DIR", help="Holds the record, blobs and outcomes.")],
    record: Annotated[
        str | None, typer.Option("--record", metavar="URL", help="The record elsewhere, such as postgresql+psycopg://.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 7460,
    ray: Annotated[bool, typer.Option("--ray/--no-ray", help="Work in Ray actors, or in this process.")] = True,
    cpus: Annotated[int | None, typer.Option("--cpus", min=1, help="Processors that a local Ray counts on.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=256, help="Campaigns driven at once.")] = 4,
    base_dir: Annotated[
        Path | None,
        typer.Option("--base-dir", metavar="DIR", help="Files that campaigns name lie here; DIR/inputs by default."),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="PEM", help="Certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="PEM", help="Its private key.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="sha256 of every token let in, one a line.")
    ] = None,
) -> None:
    """Serve campaigns until SIGTERM or Ctrl-C.

    Campaigns that were at work go on. Listens on loopback unless TLS and tokens are given.
    """
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    from services.controller.assembly import inline_hosts, ray_hosts
    from services.controller.confined import Admission
    from services.rpc.access import Binding, read_tokens
    from services.serving import Service, run_service

    tokens = read_tokens(token_file) if token_file else None
    inputs = base_dir or store / "inputs"
    service = Service(
        folder=store,
        record=record,
        admission=Admission(inputs.resolve(), Settings.from_environment().data_root),
        open_hosts=ray_hosts(cpus, revive=True) if ray else inline_hosts,
        binding=Binding(host, port, tls_cert, tls_key, tokens),
        most=most,
    )
    run_service(service)


def submit(
    campaign: Campaign,
    settings: Set = None,
    target: Target = None,
    request_id: Annotated[
        str, typer.Option("--request-id", metavar="TEXT", help="Submitted again under the same one, it is done once.")
    ] = "",
    follow: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> int:
    """Hand a campaign to a controller and print its id."""
    from services.cli.files import campaign_text
    from services.runs import client_of
    from services.runtime import Settings

    with client_of(Settings.from_environment(), target) as client:
        info = client.create(campaign_text(campaign), settings or (), request_id=request_id)
    typer.echo(json.dumps(_as_json(info), indent=2) if as_json else info.id)
    return watch(info.id, target, as_json=as_json) if follow else 0


def list_campaigns(target: Target = None, as_json: AsJson = False) -> None:
    """List the campaigns of a controller."""
    from services.runs import client_of
    from services.runtime import Settings

    with client_of(Settings.from_environment(), target) as client:
        found = list(client.list())
    if as_json:
        typer.echo(json.dumps([_as_json(info) for info in found], indent=2))
        return
    for info in found:
        typer.echo(_line(info))


def status(run: Run, target: Target = None, plugins: Plugins = None, as_json: AsJson = False) -> None:
    """Tell how a campaign stands."""
    _say(_asked(run, target, plugins, "get"), as_json)


def watch(run: Run, target: Target = None, plugins: Plugins = None, as_json: AsJson = False) -> int:
    """Follow a campaign to its end, from its beginning.

    Ends with the exit codes of `run`. With --json, prints one event a line.
    """
    from services.cli.files import load_plugins
    from services.runs import open_run
    from services.runtime import Settings

    load_plugins(plugins or ())
    with open_run(run, target, Settings.from_environment()) as (runs, campaign):
        if as_json:
            for event in runs.watch(campaign):
                typer.echo(json.dumps({"campaign": event.campaign, "n": event.n, "at": event.at, **event.data}))
            return _exit_code_of(runs.get(campaign))
        return exit_code(_followed(runs, campaign))


def _followed(runs: Any, campaign: str) -> "list[State]":
    from dataeff_al.campaign.spec import CampaignSpec
    from dataeff_al.campaign.yaml_source import read
    from services.following import EventClock, follow
    from services.progress import Progress

    spec, clock = CampaignSpec.from_canonical(read(runs.get(campaign).spec_yaml).data), EventClock()
    with Progress(spec, clock=clock) as progress:
        return follow(runs, campaign, progress, clock)


def pause(
    run: Run, reason: Reason = "", target: Target = None, plugins: Plugins = None, as_json: AsJson = False
) -> None:
    """Start no new work in a campaign, its twins and repeats."""
    _say(_asked(run, target, plugins, "pause", reason), as_json)


def resume(run: Run, target: Target = None, plugins: Plugins = None, as_json: AsJson = False) -> None:
    """Let a paused campaign go on; a folder at rest goes on when it is run again."""
    _say(_asked(run, target, plugins, "resume"), as_json)


def cancel(
    run: Run, reason: Reason = "", target: Target = None, plugins: Plugins = None, as_json: AsJson = False
) -> None:
    """End a campaign before its time; answers in flight are still accepted."""
    _say(_asked(run, target, plugins, "cancel", reason), as_json)


def extend(
    run: Run,
    amount: Annotated[int, typer.Argument(min=1, help="What is added, in the budget's unit.")],
    target: Target = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Add to a campaign's budget; one that had come to its end goes on."""
    _say(_asked(run, target, plugins, "extend", amount), as_json)


def _asked(run: str, target: str | None, plugins: Plugins, what: str, *given: Any) -> "CampaignInfo":
    from services.cli.files import load_plugins
    from services.runs import open_run
    from services.runtime import Settings

    load_plugins(plugins or ())
    with open_run(run, target, Settings.from_environment()) as (runs, campaign):
        found: CampaignInfo = getattr(runs, what)(campaign, *given)
        return found


def _say(info: "CampaignInfo", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_as_json(info), indent=2))
        return
    typer.echo(_line(info))
    for label, text in (("reason", info.reason), ("problem", info.problem), ("members", ", ".join(info.members))):
        if text:
            typer.echo(f"  {label}: {text}")
    for unknown in info.unknown:
        typer.echo(f"  unknown outcome: {unknown.attempt}")


def _as_json(info: "CampaignInfo") -> dict[str, Any]:
    return asdict(info)


def _line(info: "CampaignInfo") -> str:
    value = "-" if info.validation is None else f"{info.validation:.4g}"
    aim = "" if info.target is None else f" (target {info.target:.4g})"
    money = info.queries.told(info.unit)
    stage = info.outcome or (f"{info.status}, {info.activity}" if info.status == "running" else info.status)
    return f"{info.id:32} {stage:18} round {max(info.round, 0):<4} {money:20} {info.metric} {value}{aim}"


def _exit_code_of(info: "CampaignInfo") -> int:
    """The exit code of a campaign alone."""
    if info.status != "finished":
        return 4
    return 3 if info.reached is False else 0
