"""Whether a model has learnt what it was given: an under-trained model makes any comparison of labels a false one."""

from collections.abc import Mapping, Sequence

from dataeff_al.learners.predicting import predictions
from dataeff_al.learners.protocol import Learner
from dataeff_al.metrics import evaluate
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import TargetSpec
from dataeff_al.view import Labelled

_MOST = 512
_LEARNT: Mapping[str, float] = {"accuracy": 0.95, "dice": 0.8}
NOTE = "training_fit"


def training_fit(target: TargetSpec, metric: str, learner: Learner, codec: Codec, data: Sequence[Labelled]) -> str:
    """The metric on the newest labels of the training set, with a warning when the model did not learn them.

    Empty when these labels do not define the metric.
    """
    data = data[-_MOST:]
    found = evaluate(
        target,
        predictions(learner, codec.soften, [entry.sample for entry in data]),
        [entry.label for entry in data],
    )
    if metric not in found:
        return ""
    value, least = found[metric], _LEARNT.get(metric.partition("/")[0])
    said = f"{metric} {value:.4g} on its own labels"
    if least is None or value >= least:
        return said
    return f"{said}: fewer than {least:g}, so that more steps may change what is compared here"
