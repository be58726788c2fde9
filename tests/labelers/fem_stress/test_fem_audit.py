"""A share of the labels is solved again on a finer mesh."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dataeff_al.campaign.label_notes import label_notes
from dataeff_al.campaign.state import QueryState
from dataeff_al.labeling.packing import pack_outcome, unpack_label
from dataeff_al.labeling.types import Label, LabelerContext, Request
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from labelers.fem_stress.audit import is_audited
from labelers.fem_stress.spec import PLUGIN, FemStressParams

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=8), PoolContext(Path(), None, 7))
REQUESTS = [Request(f"key-{i}", sample, seed=i) for i, sample in enumerate(POOL.read(POOL.ids()))]


def labels(share: float, requests=REQUESTS, **params: object):
    given = {"mesh": {"radial": 4, "circumferential": 32}, "audit": {"share": share}, **params}
    labeler = PLUGIN.factory()(FemStressParams.model_validate(given), LabelerContext(POOL, Path(), None))
    return labeler.label(requests)


def test_no_label_is_audited_unless_asked_for():
    assert all(not label.notes for label in labels(0.0, REQUESTS[:2]))


def test_every_audited_label_states_the_finer_mesh_and_the_error_of_each_channel():
    for label in labels(1.0, REQUESTS[:3], channels=["first_principal", "von_mises"]):
        assert label.notes["audit_mesh"] == "8 x 64"
        for channel in ("first_principal", "von_mises"):
            assert 1e-4 < float(label.notes[f"discretisation_error_{channel}"]) < 0.4


def test_the_noted_error_is_the_distance_to_the_labels_of_the_finer_mesh():
    request = REQUESTS[:1]
    noted = float(labels(1.0, request)[0].notes["discretisation_error_first_principal"])
    coarse = labels(0.0, request)[0].target["stress"]
    fine = labels(0.0, request, mesh={"radial": 8, "circumferential": 64})[0].target["stress"]
    there = np.isfinite(fine)
    assert noted == pytest.approx(np.linalg.norm((coarse - fine)[there]) / np.linalg.norm(fine[there]), rel=1e-3)


def test_a_finer_mesh_has_a_smaller_error():
    errors = [
        float(labels(1.0, REQUESTS[:1], mesh=mesh)[0].notes["discretisation_error_first_principal"])
        for mesh in ({"radial": 3, "circumferential": 24}, {"radial": 8, "circumferential": 96})
    ]
    assert errors[1] < errors[0] / 2


def test_who_is_audited_depends_on_the_request_alone():
    together = ["audit_mesh" in label.notes for label in labels(0.4)]
    alone = ["audit_mesh" in labels(0.4, [request])[0].notes for request in REQUESTS]
    assert together == alone == [is_audited(request, 0.4) for request in REQUESTS]
    share = np.mean([is_audited(Request("k", REQUESTS[0].sample, seed=i), 0.4) for i in range(2000)])
    assert abs(share - 0.4) < 0.05


def test_an_audit_never_changes_the_answer():
    for plain, audited in zip(labels(0.0, REQUESTS[:2]), labels(1.0, REQUESTS[:2]), strict=True):
        assert np.array_equal(plain.target["stress"], audited.target["stress"], equal_nan=True)


@pytest.mark.parametrize("audit", [{"share": 1.5}, {"share": -0.1}, {"share": 0.1, "refine": 1}])
def test_impossible_audits_are_refused(audit):
    with pytest.raises(ValidationError):
        FemStressParams.model_validate({"audit": audit})


def test_an_audit_beyond_the_finest_mesh_is_refused():
    with pytest.raises(ValidationError, match="audit's mesh"):
        FemStressParams.model_validate({"mesh": {"radial": 40}, "audit": {"share": 0.1, "refine": 4}})


def test_the_report_tells_the_spread_of_the_noted_errors():
    blobs, queries = MemoryBlobs(), []
    for i, error in enumerate((0.01, 0.03, 0.02, None)):
        notes = {"audit_mesh": "16 x 192"} | ({} if error is None else {"discretisation_error": str(error)})
        label = Label({"stress": np.ones((1, 2, 2), np.float32)}, notes=notes)
        assert dict(unpack_label(pack_outcome(label)).notes) == notes
        ref = str(blobs.put(pack_outcome(label)))
        queries.append(QueryState(str(i), i, 0, "initial", "p", "r", False, "c", None, 1, label=ref))
    (sentence,) = label_notes(queries, blobs)
    assert "discretisation error" in sentence
    assert "3 of 4 labels" in sentence
    assert "median 0.02, largest 0.03" in sentence
