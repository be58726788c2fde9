"""Models on disk: one safetensors file of weights, with settings, facts and calibration as JSON in its header."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dataeff_al.errors import DataError
from labelers.deep_labelling.confidence import Calibration
from labelers.deep_labelling.consensus import FEATURES
from labelers.deep_labelling.detector import Detector
from labelers.deep_labelling.policies import Policy, make_policy
from labelers.deep_labelling.settings import DeepLabellingSettings

FORM = "deep_labelling/2"


@dataclass(frozen=True)
class Kept:
    """What a trained labeller is made of."""

    settings: DeepLabellingSettings
    policy: Policy
    detector: Detector
    calibration: Calibration


def write_model(path: Path, model: Kept) -> None:
    """Write a labeller. Raises DataError when the file cannot be written."""
    header = {
        "form": FORM,
        "settings": dataclasses.asdict(model.settings),
        "facts": model.policy.facts(),
        "spacing_px": model.detector.spacing_px,
        "bias": model.calibration.bias,
        "held_back": model.calibration.held_back,
    }
    tensors = _named("policy", model.policy.networks) | _named("detector", model.detector.network)
    tensors["calibration"] = torch.from_numpy(model.calibration.weights.astype(np.float64))
    try:
        save_file(tensors, path, metadata={"model": json.dumps(header)})
    except (OSError, SafetensorError) as error:
        raise DataError(f"a model must go to a writable file, but got {str(path)!r} ({error}).") from error


def read_model(path: Path) -> Kept:
    """Read a labeller. Raises DataError when the file is missing, damaged or of another form."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("model", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"a model must be a whole safetensors file, but got {str(path)!r} ({error}).") from error
    form = header.get("form") if isinstance(header, dict) else None
    if form != FORM:
        raise DataError(f"a model must have the form {FORM!r}, but got {form!r} in {path.name!r}.")
    try:
        return _built(header, tensors)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise DataError(f"{path.name!r} must hold a whole model, but got {str(error)[:200]!r}.") from error


def _built(header: dict[str, Any], tensors: dict[str, Tensor]) -> Kept:
    settings = DeepLabellingSettings(**header["settings"])
    policy, detector = make_policy(settings, header["facts"]), Detector(float(header["spacing_px"]))
    policy.networks.load_state_dict(_part("policy", tensors))
    detector.network.load_state_dict(_part("detector", tensors))
    policy.networks.eval()
    detector.network.eval()
    weights = tensors["calibration"].numpy()
    if weights.shape != (len(FEATURES),):
        raise ValueError(f"a calibration of {weights.shape}")
    return Kept(settings, policy, detector, Calibration(weights, float(header["bias"]), int(header["held_back"])))


def _named(prefix: str, module: torch.nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value.contiguous() for name, value in module.state_dict().items()}


def _part(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
