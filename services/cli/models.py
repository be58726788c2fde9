"""Taking away what a run has made, and using it: ``export``, ``predict``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from services.cli.options import AsJson, Plugins, Run, Target

if TYPE_CHECKING:
    from dataeff_al.campaign.predicting import RunModel
    from dataeff_al.rpc import Client

Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]


class Format(StrEnum):
    """What is exported: the model as it is kept, the model as ONNX, the labelled samples."""

    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    DATASET = "dataset"


class Part(StrEnum):
    """Which labelled samples: those that train, those that measure, or all."""

    ALL = "all"
    TRAINING = "training"
    EVALUATION = "evaluation"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(export)
    app.command()(predict)


def export(
    run: Run,
    form: Annotated[Format, typer.Option("--format", help="What to export.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write.")],
    part: Annotated[Part, typer.Option("--part", help="Of a dataset: which samples.")] = Part.ALL,
    twins: Annotated[bool, typer.Option("--twins", help="Of a dataset: what the twins bought, too.")] = False,
    target: Target = None,
    plugins: Plugins = None,
) -> None:
    """Take a run's model or its labelled samples away.

    A model comes with a card as JSON beside it. A controller hands out models as safetensors.
    """
    from services.runs import client_of
    from services.runtime import Settings

    if target is not None:
        with client_of(Settings.from_environment(), target) as client:
            typer.echo(f"Model: {_fetch(client, run, form, out)}")
    elif form is Format.ONNX:
        _export_onnx(Path(run), out, plugins)
    else:
        _export(Path(run), form, out, part, twins=twins)


def _fetch(client: "Client", campaign: str, form: Format, out: Path) -> Path:
    from dataeff_al.campaign.outcome import MODEL, write_json
    from dataeff_al.errors import CapabilityError
    from services.direct import check_writable

    if form is not Format.SAFETENSORS:
        raise CapabilityError(f"a controller hands out models as safetensors, but got {form.value!r}.")
    path = out / MODEL if out.is_dir() else out
    check_writable(path)
    write_json(path.with_suffix(".json"), client.download(campaign, path).card)
    return path


def _export(run: Path, form: Format, out: Path, part: Part, *, twins: bool) -> None:
    from dataeff_al.campaign.exporting import export_dataset, export_model
    from dataeff_al.campaign.run_folder import RunFolder

    if form is Format.SAFETENSORS:
        typer.echo(f"Model: {export_model(RunFolder(run), out)}")
        return
    count = export_dataset(RunFolder(run), out, cast(Any, part.value), twins=twins)
    typer.echo(f"{count} labelled samples: {out}")


def _export_onnx(run: Path, out: Path, plugins: list[Path] | None) -> None:
    from dataeff_al.campaign.exporting_onnx import check_packages, export_onnx

    check_packages()
    difference = export_onnx(_model(run, plugins), out)
    typer.echo(f"Model: {out} (differs by at most {difference:.1e} of its largest prediction)")


def predict(
    run: Run,
    source: Annotated[Path, typer.Option("--in", metavar="X.npz", help="The samples.")],
    out: Annotated[Path, typer.Option("--out", metavar="Y.npz", help="Where to write the predictions.")],
    target: Target = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Predict a file of samples with a run's model, here or at a controller."""
    count = _predicted_there(run, target, source, out) if target else _predicted_here(Path(run), plugins, source, out)
    typer.echo(json.dumps({"predicted": count, "out": str(out)}) if as_json else f"{count} samples predicted: {out}")


def _predicted_here(run: Path, plugins: list[Path] | None, source: Path, out: Path) -> int:
    model = _model(run, plugins)
    from dataeff_al.campaign.predicting import predict_file

    return predict_file(model, source, out)


def _predicted_there(campaign: str, target: str, source: Path, out: Path) -> int:
    from dataeff_al.labeling.npz_writing import sample_arrays
    from dataeff_al.samples.archive import write_arrays
    from dataeff_al.samples.file_pool import file_pool
    from services.direct import check_writable
    from services.runs import client_of
    from services.runtime import Settings

    check_writable(out)
    pool = file_pool(source, answered=False)
    fields = {name: pool.columns.rows(name, slice(None)) for name in pool.spec.fields}
    named = sample_arrays(pool.spec, pool.read(pool.ids()))
    kept = {key: named[key] for key in ("id", "group", "pixel_size_mm") if key in named}
    with client_of(Settings.from_environment(), target) as client:
        write_arrays(out, kept | client.predict(campaign, fields))
    return len(pool.ids())


def _model(run: Path, plugins: list[Path] | None) -> "RunModel":
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    from dataeff_al.campaign.predicting import RunModel
    from dataeff_al.campaign.run_folder import RunFolder
    from services.cli.files import load_plugins

    load_plugins(plugins or ())
    return RunModel.load(RunFolder(run), Settings.from_environment().data_root)
