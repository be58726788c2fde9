"""A run's model as ONNX, checked against the model itself before it is handed out."""

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataeff_al.campaign.outcome import write_file, write_json
from dataeff_al.campaign.predicting import RunModel
from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.learners.ensemble import members_of
from dataeff_al.samples.types import Sample, SampleId

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
BATCHES = (1, 3)


class _Predictor(nn.Module):
    """The members' mean prediction: what :meth:`Learner.predict` gives, as one graph."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions ``(n, ...)``."""
        return torch.stack([member(x) for member in self.members]).mean(0)


def export_onnx(model: RunModel, out: Path) -> float:
    """Write the model as ONNX, and a card ``NAME.onnx.json`` beside it; returns by how much it differs from the model.

    The graph takes ``x``, float32 ``(n, *tensor.shape)`` as the campaign's codec makes it (the card says how), and
    gives ``prediction``. Raises CapabilityError when a package is missing, DataError when the learner cannot be
    exported or the graph predicts otherwise than the model.
    """
    check_packages()
    if not out.parent.is_dir():
        raise DataError(f"the output must be in an existing folder, but got {str(out)!r}.")
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".onnx-") as folder:
        draft = Path(folder) / "model.onnx"
        _write(model, draft)
        difference = _difference(model, draft)
        write_file(out, draft.read_bytes())
    write_json(out.with_name(f"{out.name}.json"), _card(model, difference))
    return difference


def check_packages() -> None:
    """Raises CapabilityError when ONNX cannot be written and checked here."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise CapabilityError(
            f"ONNX export needs {', '.join(PACKAGES)} (pip install 'dataeff-al[onnx]'), but got no "
            f"{' and no '.join(missing)}."
        )


def _write(model: RunModel, path: Path) -> None:
    predictor = _Predictor([member.module for member in members_of(model.learner)]).eval()
    # Two rows: a batch of one would be taken for a fixed size.
    example = torch.zeros(2, *model.codec.tensor.shape)
    try:
        with _quiet():
            torch.onnx.export(
                predictor,
                (example,),
                path,
                input_names=["x"],
                output_names=["prediction"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"the learner must be made of parts that ONNX knows, but got: {reason[:300]}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about its own parts and about packages that nobody asked for."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _difference(model: RunModel, path: Path) -> float:
    """The largest difference over batches of several sizes, relative to the largest prediction."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for n in BATCHES:
        x = torch.rand(n, *model.codec.tensor.shape, generator=generator)
        wanted = model.learner.predict(x).float().numpy()
        found = _ran(session, x.numpy())
        if found.shape != wanted.shape:
            raise DataError(f"the ONNX graph must give {wanted.shape}, but got {found.shape}.")
        worst = max(worst, float(np.abs(found - wanted).max() / max(float(np.abs(wanted).max()), 1e-12)))
    if not worst <= TOLERANCE:
        raise DataError(f"the ONNX graph must predict as the model within {TOLERANCE}, but got {worst:.3g}.")
    return worst


def _ran(session: Any, x: np.ndarray) -> np.ndarray:
    try:
        return session.run(None, {"x": x})[0]
    except Exception as error:  # the runtime's own errors share no base class but this
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"the ONNX graph must take {len(x)} samples like any other number, but got: {reason}"
        ) from error


def _card(model: RunModel, difference: float) -> dict[str, Any]:
    """The model's card with what the graph takes and gives."""
    form = model.samples.input_field
    made = {
        "intensity": f"pixels scaled from {list(form.range or (0.0, 1.0))} to [0, 1] and clipped",
        "codes": "one channel of 0 and 1 for each class code",
        "values": "columns standardised by the pool's mean and standard deviation",
    }
    tensor = model.codec.tensor
    return {
        **model.card,
        "input": {"name": "x", "shape": ["n", *tensor.shape], "made_of": made[tensor.kind], **_columns(model)},
        "samples": {"field": model.samples.input, **asdict(form)},
        "output": {"name": "prediction"},
        "largest_relative_difference": difference,
    }


def _columns(model: RunModel) -> dict[str, Any]:
    """What standardises a table's columns: ``x = scale * row + offset``."""
    if model.codec.tensor.kind != "values":
        return {}
    form, name = model.samples.input_field, model.samples.input
    rows = [Sample(SampleId(str(n)), {name: np.full(form.shape, n, form.dtype)}, str(n)) for n in (0, 1)]
    offset, one = model.codec.soften(rows).double()
    return {"scale": (one - offset).tolist(), "offset": offset.tolist()}
