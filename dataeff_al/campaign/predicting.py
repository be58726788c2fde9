"""A run's model in use: from samples, or a file of them, to predictions in their units."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.run_folder import RunFolder
from dataeff_al.errors import DataError
from dataeff_al.labeling.npz_writing import prediction_arrays, sample_arrays
from dataeff_al.learners.ensemble import restore
from dataeff_al.learners.predicting import predictions_where_defined
from dataeff_al.samples.archive import read_arrays, write_arrays
from dataeff_al.samples.declared import target_from_json
from dataeff_al.samples.npz import BESIDE, InputKey, Reading, SampleFile, columns_from, samples_of
from dataeff_al.samples.types import Sample, SampleId, SampleSpec


class RunModel:
    """A trained model with its run's codec; call it with arrays, or :meth:`predict` samples.

    ::

        model = RunModel.load(RunFolder(Path("runs/digits")), data_root=None)
        model(x).argmax(axis=1)     # x (n, 1, 8, 8) float32
    """

    def __init__(self, parts: Parts, card: dict[str, Any], state: bytes) -> None:
        self.card = card
        self.target = target_from_json(card["target"])
        self.samples: SampleSpec = parts.pool.spec
        self.codec = parts.codec
        self.learner = restore(state, parts.new_learner(self.target))

    @classmethod
    def load(cls, run: RunFolder, data_root: Path | None, parts: Parts | None = None) -> "RunModel":
        """The newest model of a run; reads the campaign's pool, unless ``parts`` hold it already.

        Raises NotFoundError before the first model, CorruptError when the file was changed.
        """
        state, card = run.model()
        return cls(parts or Parts(run.spec, run.base_dir, data_root), card, state)

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """Probabilities ``(n, k, ...)`` for classes and masks, values in their unit ``(n, *target.shape)`` otherwise.

        Fields are NaN where the target has no value (stress outside tissue). Raises DataError when a sample has another
        form.
        """
        if not samples:
            raise DataError("a model must be given at least one sample, but got 0.")
        return predictions_where_defined(self.learner, self.codec, self.samples, self.target, samples)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predictions for arrays ``(n, *shape)`` of the pool's input field, such as images ``(n, c, h, w)``."""
        form = self.samples.input_field
        rows = np.asarray(x)
        if rows.shape[1:] != form.shape or not rows.ndim:
            raise DataError(f"the model's input must be {_rows(form.shape)}, but got {rows.shape}.")
        rows = rows.astype(form.dtype)
        return self.predict([Sample(SampleId(str(n)), {self.samples.input: row}, str(n)) for n, row in enumerate(rows)])


def read_inputs(path: Path, spec: SampleSpec) -> SampleFile:
    """The samples of a file in the form of a pool. Raises DataError when they have another one."""
    form = spec.input_field
    arrays = read_arrays(path, only=(spec.input, *BESIDE))
    reading = Reading(cast(InputKey, spec.input), range=form.range, classes=form.classes)
    try:
        file = samples_of(columns_from(arrays, reading))
        _check_form(file.spec, spec)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error
    return file


def _check_form(found: SampleSpec, wanted: SampleSpec) -> None:
    here, there = found.input_field, wanted.input_field
    if here.shape != there.shape:
        raise DataError(
            f"{wanted.input!r} must be {_rows(there.shape)} as the model was trained, but got {_rows(here.shape)}."
        )
    sizes = (here.pixel_size_mm, there.pixel_size_mm)
    if None not in sizes and not np.isclose(*cast(tuple[float, float], sizes), rtol=1e-3):
        raise DataError(f"'pixel_size_mm' must be {sizes[1]} as the model was trained, but got {sizes[0]}.")


def _rows(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, ('n', *shape)))})"


def predict_file(model: RunModel, source: Path, out: Path) -> int:
    """Write predictions for a file of samples under the contract's keys; returns for how many.

    Raises DataError when the file holds samples of another form.
    """
    file = read_inputs(source, model.samples)
    named = sample_arrays(file.spec, file.samples)
    kept = {key: named[key] for key in ("id", "group", "pixel_size_mm") if key in named}
    write_arrays(out, kept | prediction_arrays(model.target, model.predict(file.samples)))
    return len(file.samples)
