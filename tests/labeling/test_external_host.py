import json

import pytest

from dataeff_al.errors import CapabilityError
from dataeff_al.labeling.external import ExternalHost, ExternalLabeler
from dataeff_al.labeling.spec import ExternalParams
from dataeff_al.labeling.types import LabelFailure, Running
from dataeff_al.samples.types import FieldSpec, SampleSpec

IMAGES = SampleSpec({"x": FieldSpec((1, 8, 6), "float32", "intensity")}, "x")
MASKS = SampleSpec({"mask": FieldSpec((8, 6), "uint8", "codes", classes=("a", "b"))}, "mask")
ROWS = SampleSpec({"x": FieldSpec((5,), "float32", "values")}, "x")


def _labeler(samples=IMAGES, **target):
    params = ExternalParams.model_validate_json(
        json.dumps({"target": target, "cost": 2, "max_cost": 5, "lease_s": 60.0})
    )
    return ExternalLabeler(params, samples)


@pytest.mark.parametrize(
    ("samples", "target", "shape"),
    [
        (IMAGES, {"kind": "class", "classes": ["a", "b"]}, ()),
        (IMAGES, {"kind": "mask", "classes": ["a", "b"]}, (8, 6)),
        (MASKS, {"kind": "field", "channels": ["p", "q"]}, (2, 8, 6)),
        (ROWS, {"kind": "values", "channels": ["u", "v"]}, (2,)),
    ],
)
def test_answers_have_the_form_that_the_pool_gives_them(samples, target, shape):
    assert _labeler(samples, **target).info.target.shape == shape


def test_rows_of_a_table_have_no_grid_to_answer_on():
    with pytest.raises(CapabilityError, match="samples on a grid"):
        _labeler(ROWS, kind="mask", classes=["a", "b"])


def test_it_is_pulled_from_never_called_and_never_repeated():
    labeler = _labeler(kind="class", classes=["a", "b"])
    assert (labeler.info.delivery, labeler.info.effect) == ("pull", "blind")
    assert (labeler.info.cost, labeler.info.max_cost, labeler.info.timeout_s) == (2, 5, 60.0)
    (outcome,) = labeler.label([None])
    assert isinstance(outcome, LabelFailure)


def test_its_host_waits_until_the_record_says_otherwise():
    host = ExternalHost(_labeler(kind="class", classes=["a", "b"]).info)
    host.start("a", "ref")
    host.cancel(["a"])
    host.ack(["a"])
    assert host.poll(["a", "b"]) == {"a": Running(), "b": Running()}
    assert host.capacity == 0
