"""From the plugin's parameters to annotated images: which samples, which regions, one labeller for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.labeling.types import LabelerContext
from dataeff_al.randomness import rng_for
from dataeff_al.samples.npz import read_columns
from dataeff_al.samples.protocol import AnsweredPool
from dataeff_al.samples.types import FieldSpec, TargetSpec
from labelers.deep_labelling.annotated import annotated_set
from labelers.deep_labelling.labeller import DeepLabeller
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.spec import MOST_CODE, DeepLabellingParams, RegionParams


@dataclass(frozen=True)
class Annotations:
    """Images ``(n, h, w)`` in [0, 1] with class codes ``(n, h, w)`` uint8, the case of each, the codes' names."""

    images: np.ndarray
    codes: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]


def unit_images(x: np.ndarray, form: FieldSpec) -> np.ndarray:
    """Images ``(n, c, h, w)`` as ``(n, h, w)`` float32: the mean over channels, the declared range to [0, 1].

    Values beyond the declared range, and NaN, are left for the labeller to refuse.
    """
    low, high = form.range or (0.0, 1.0)
    return ((x.astype(np.float32).mean(axis=1) - low) / (high - low)).astype(np.float32)


def check_pictures(form: FieldSpec | None) -> FieldSpec:
    """The form of images. Raises DataError unless samples hold ``x`` ``(c, h, w)``."""
    if form is None or form.kind != "intensity" or len(form.shape) != 3:
        found = None if form is None else form.shape
        raise DataError(f"deep_labelling must get samples with images x (c, h, w), but got {found!r}.")
    return form


def annotations_of(params: DeepLabellingParams, context: LabelerContext) -> Annotations:
    """The annotated images that the parameters name. Raises DataError when there are none, or they are no masks."""
    if params.annotated is not None:
        return _from_file(context.base_dir / params.annotated)
    return _from_pool(params.annotated_groups, context)


def _from_file(path: Path) -> Annotations:
    columns = read_columns(path)
    target, answers = columns.target, columns.answers
    if target is None or answers is None or target.kind != "mask":
        raise DataError(f"annotated images must come with 'mask', but got none in {path.name!r}.")
    form = check_pictures(columns.spec.fields.get("x"))
    images = unit_images(columns.rows("x", slice(None)), form)
    return Annotations(images, answers, np.array(columns.groups), names_of(target, answers))


def _from_pool(groups: Sequence[str], context: LabelerContext) -> Annotations:
    pool = context.pool
    if not isinstance(pool, AnsweredPool) or pool.target.kind != "mask":
        raise CapabilityError("annotated_groups need a pool with known masks, but got one without.")
    known = {pool.group(sample_id) for sample_id in pool.ids()}
    if unknown := sorted(set(groups) - known):
        raise DataError(f"annotated_groups must be groups of the pool, but got {unknown[0]!r}.")
    if tested := sorted({pool.group(sample_id) for sample_id in pool.held_out()} & set(groups)):
        raise DataError(f"annotated_groups must not be held out for the test, but got {tested[0]!r}.")
    ids = [sample_id for sample_id in pool.ids() if pool.group(sample_id) in set(groups)]
    form = check_pictures(pool.spec.fields.get("x"))
    images = unit_images(np.stack([sample.fields["x"] for sample in pool.read(ids)]), form)
    codes = np.stack([answer[pool.target.name] for answer in pool.answers(ids)])
    return Annotations(images, codes, np.array([pool.group(i) for i in ids]), names_of(pool.target, codes))


def names_of(target: TargetSpec, codes: np.ndarray) -> tuple[str, ...]:
    """The classes' names; made from the codes where none are declared."""
    return target.classes or ("background", *(f"region_{code}" for code in range(1, int(codes.max(initial=1)) + 1)))


def regions_of(params: DeepLabellingParams, classes: Sequence[str]) -> list[RegionParams]:
    """The regions asked for, or one for each class above the background.

    Raises DataError when there are more classes than codes that can be painted.
    """
    if params.regions:
        return list(params.regions)
    if len(classes) - 1 > MOST_CODE:
        raise DataError(
            f"masks must hold codes up to {MOST_CODE}, but got {len(classes) - 1}; a mask of one region is 0 and 1."
        )
    return [RegionParams(name=name, codes=[code], paint=code) for code, name in enumerate(classes) if code]


def settings_of(params: DeepLabellingParams) -> DeepLabellingSettings:
    """The settings that the parameters mean."""
    return DeepLabellingSettings(
        policy=params.policy,
        steps=params.steps,
        detector_steps=params.detector_steps,
        members=params.members,
        batch=params.batch,
    )


def check_usable(known: Annotations, regions: Sequence[RegionParams]) -> None:
    """Raises DataError naming the region unless each has an annotated image that can be learnt from."""
    for region in regions:
        images, masks = _of_region(known, region)
        if not len(images):
            raise DataError(
                f"region {region.name!r}: at least one annotated image must hold one of the codes {region.codes}, but "
                f"got none of {len(known.images)}."
            )
        with _named(region):
            annotated_set(images, masks)


def trained(params: DeepLabellingParams, known: Annotations, regions: Sequence[RegionParams]) -> list[DeepLabeller]:
    """One labeller a region, each from random numbers of its own. Raises DataError naming the region."""
    return [_for_region(params, known, region) for region in regions]


def _for_region(params: DeepLabellingParams, known: Annotations, region: RegionParams) -> DeepLabeller:
    images, masks = _of_region(known, region)
    present = np.isin(known.codes, region.codes).any(axis=(1, 2))
    rng = rng_for(params.seed, "deep labelling", region.name)
    with _named(region):
        return DeepLabeller.train(images, masks, settings_of(params), rng=rng, groups=known.groups[present])


def _of_region(known: Annotations, region: RegionParams) -> tuple[np.ndarray, np.ndarray]:
    """The images that show a region, and its masks."""
    masks = np.isin(known.codes, region.codes)
    present = masks.any(axis=(1, 2))
    return known.images[present], masks[present]


@contextmanager
def _named(region: RegionParams) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"region {region.name!r}: {error}") from error
