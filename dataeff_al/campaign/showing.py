"""What of a model's answers is kept for the report: codes in place of probabilities, and the stages they came by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dataeff_al.samples.types import Sample, TargetSpec

_MARK = "stage:"


def as_shown(target: TargetSpec, prediction: np.ndarray) -> np.ndarray:
    """Masks as codes ``(n, [d,] h, w)`` uint8, a hundredth of what their probabilities take; all else as it is."""
    return prediction.argmax(axis=1).astype(np.uint8) if target.kind == "mask" else prediction


def stages(learner: Any, soften: Callable[[Sequence[Sample]], Any], samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """What a learner that offers ``stages`` answered at each of them: codes ``(n, ...)`` uint8 by name, in order."""
    each = [learner.stages(soften([sample])) for sample in samples]
    names = list(each[0])
    return {name: np.concatenate([maps[name].numpy() for maps in each]).astype(np.uint8) for name in names}


def staged(fields: Mapping[str, np.ndarray], place: int) -> list[tuple[str, np.ndarray]]:
    """The stages of one kept case, first to last."""
    return [(name.removeprefix(_MARK), codes[place]) for name, codes in fields.items() if name.startswith(_MARK)]


def structures(target: TargetSpec) -> dict[str, list[str]]:
    """Structures of a mask by group, all others apart; nothing where the target declares no groups and few classes."""
    if target.kind != "mask" or not (target.groups or len(target.classes) > 6):
        return {}
    found = {name: list(members) for name, members in target.groups}
    named = {member for members in found.values() for member in members}
    rest = [name for name in target.classes[1:] if name not in named]
    return found | ({"other" if found else "all": rest} if rest else {})
