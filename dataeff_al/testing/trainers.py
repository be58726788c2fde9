"""The contract of a trainer, for plugin authors::

check_trainer(lambda: MyTrainer(params), view)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from dataeff_al.digests import digest_bytes
from dataeff_al.errors import TrainingError
from dataeff_al.learners.protocol import Learner
from dataeff_al.testing.refusals import refusal
from dataeff_al.testing.samplers import view_digest
from dataeff_al.testing.views import with_invalid_labels
from dataeff_al.trainers.protocol import FitReport, Trainer
from dataeff_al.view import View

MakeTrainer = Callable[[], Trainer]


def check_trainer(make: MakeTrainer, view: View, seed: int = 0) -> None:
    """All rules of a trainer on a view it can learn; raises AssertionError with the broken one."""
    assert isinstance(make(), Trainer), "a trainer must have fit"
    before, position = view_digest(view), torch.random.get_rng_state()
    report = make().fit(view, None, seed)
    assert view_digest(view) == before, "a fit must not change the view"
    assert torch.equal(torch.random.get_rng_state(), position), "a fit must leave torch's global generator alone"
    check_report(report)
    check_learns(report, view, seed)
    check_same_seed_same_learner(make, report, view, seed)
    check_previous_is_untouched(make, report, view, seed)
    check_invalid_labels(make, view, seed)
    check_nothing_labelled(make, view, seed)


def check_report(report: FitReport) -> None:
    """Steps, a finite loss, seconds, and a learner that is ready to be asked."""
    assert report.steps > 0, f"a fit must count its steps, but got {report.steps}"
    assert np.isfinite(report.loss), f"the loss must be finite, but got {report.loss}"
    assert report.seconds >= 0, f"the seconds must not be negative, but got {report.seconds}"
    assert not report.learner.module.training, "a fitted learner must be in evaluation mode"


def check_learns(report: FitReport, view: View, seed: int) -> None:
    """The loss on the labelled set falls well below that of the untrained learner."""
    untrained = view.new_learner(seed)
    targets = untrained.targets([entry.label for entry in view.labelled])
    untrained.calibrate(view.codec.soften([entry.sample for entry in view.labelled]), targets)
    before, after = labelled_loss(untrained, view), labelled_loss(report.learner, view)
    assert after < 0.7 * before, f"a fit must lower the loss of {before:.4g} by a third, but got {after:.4g}"


def labelled_loss(learner: Learner, view: View) -> float:
    """Mean loss over the labelled samples in evaluation mode."""
    learner.module.eval()
    targets = learner.targets([entry.label for entry in view.labelled])
    x = view.codec.soften([entry.sample for entry in view.labelled])
    with torch.no_grad():
        return float(learner.loss(x, targets).mean())


def check_same_seed_same_learner(make: MakeTrainer, report: FitReport, view: View, seed: int) -> None:
    """The same view and seed give the same weights, whatever torch's global generator holds."""
    torch.rand(3)
    again = make().fit(view, None, seed)
    assert again.loss == report.loss, "the same seed must give the same loss"
    assert digest_bytes(again.learner.state()) == digest_bytes(report.learner.state()), (
        "the same seed, the same weights"
    )


def check_previous_is_untouched(make: MakeTrainer, report: FitReport, view: View, seed: int) -> None:
    """A fit after a fit works and leaves the previous learner as it was."""
    before = digest_bytes(report.learner.state())
    check_report(make().fit(view, report.learner, seed + 1))
    assert digest_bytes(report.learner.state()) == before, "a fit must not change the previous learner"


def check_invalid_labels(make: MakeTrainer, view: View, seed: int) -> None:
    """Labels that are NaN or invalid everywhere are survived."""
    check_report(make().fit(with_invalid_labels(view), None, seed))


def check_nothing_labelled(make: MakeTrainer, view: View, seed: int) -> None:
    """Nothing labelled, or nothing valid: TrainingError."""
    for bare in (replace(view, labelled=()), with_invalid_labels(view, len(view.labelled))):
        said = refusal(partial(make().fit, bare, None, seed), TrainingError)
        assert said, "a fit without a valid label must raise TrainingError"
