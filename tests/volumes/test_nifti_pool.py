import gzip

import nibabel
import numpy as np
import pytest
from pydantic import ValidationError

from dataeff_al.errors import DataError
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.splits import split_pool
from dataeff_al.testing.pools import check_pool
from dataeff_al.testing.views import built
from dataeff_al.volumes.spec import NIFTI

LOBES = {"name": "lobes", "structures": ["* Lobe"]}


def resave(path, change):
    image = nibabel.load(path)
    array, affine = change(np.asarray(image.dataobj).copy(), image.affine.copy())
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"plane": "coronal", "unit": "slice", "context": 2, "partial": [LOBES]},
        {"plane": "sagittal", "places": False, "held_out": ["anna_1", "anna_2"]},
        {"labels": None, "structures": None, "unit": "slice"},
        {"spacing_mm": 3.0, "intensity": "zscore", "partial": [LOBES]},
    ],
)
def test_scans_keep_the_contract_of_a_pool(pool_of, settings):
    check_pool(pool_of(**settings), pool_of(**settings))


def test_spacing_is_respected_on_every_axis(pool_of, scans):
    fine, coarse = pool_of(spacing_mm=2.0), pool_of(spacing_mm=4.0)
    volumes = [(pool.answers(pool.ids()[:1])[0]["mask"] == 1).sum() * mm**3 for pool, mm in ((fine, 2), (coarse, 4))]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.35)
    assert fine.spec.input_field.spacing_mm == (2.0, 2.0, 2.0)
    stored = np.asarray(nibabel.load(scans / "scans/anna_1_seg.nii.gz").dataobj)
    assert volumes[0] == pytest.approx((stored == 3).sum() * 12.0, rel=0.1)


def test_the_orientation_of_a_file_does_not_matter(pool_of, scans):
    before = pool_of()
    for path in sorted((scans / "scans").glob("bert*")):

        def turned(array, affine):
            flipped = affine.copy()
            flipped[0, 0] *= -1
            flipped[0, 3] = affine[0, 0] * (array.shape[0] - 1) + affine[0, 3]
            order = [2, 0, 1]
            return array[::-1].transpose(order).copy(), flipped[:, [*order, 3]]

        resave(path, turned)
    after = pool_of()
    assert np.array_equal(before.read(["bert_1"])[0].fields["x"], after.read(["bert_1"])[0].fields["x"])
    assert np.array_equal(before.answers(["bert_1"])[0]["mask"], after.answers(["bert_1"])[0]["mask"])


def test_places_say_where_left_and_right_are(pool_of):
    for plane in ("axial", "coronal", "sagittal"):
        pool = pool_of(plane=plane)
        sample, mask = pool.read(["carl_1"])[0], pool.answers(["carl_1"])[0]["mask"]
        at_x, at_y, at_z = sample.fields["x"][-3:]
        left, right, stem = (mask == 1 + place for place in range(3))
        assert at_x[left].max() < 0.5 < at_x[right].min()
        assert at_y[stem].mean() < 0.5
        assert at_z[stem].mean() < 0.5


def test_a_slice_brings_its_neighbours(pool_of):
    whole = pool_of().read(["anna_1"])[0].fields["x"]
    pool = pool_of(unit="slice", context=1)
    sample = pool.read(["anna_1/z005"])[0]
    assert np.array_equal(sample.fields["x"][:3], whole[0, 4:7])
    assert np.array_equal(sample.fields["x"][3:], whole[1:, 5])
    assert sample.group == "anna"


def test_no_split_parts_the_scans_of_a_patient(pool_of):
    for seed in range(5):
        split = split_pool(pool_of(), validation=1, test=1, seed=seed)
        roles = [split.pool, split.validation, split.test]
        sides = [{case.partition("_")[0] for case in role} for role in roles]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


def test_a_patient_held_out_in_part_is_refused_from_file_names_alone(pool_of, scans):
    params = NIFTI.params(folder="scans", images=["{case}_t1.nii.gz"], patient_before="_", held_out=["anna_1"])
    with pytest.raises(DataError, match="a patient must lie in one split, but got 'anna' held out without"):
        NIFTI.size(params, scans, None)
    stated = NIFTI.params(
        folder="scans", images=["{case}_t1.nii.gz"], patients={"bert_1": "anna_1"}, held_out=["anna_1"]
    )
    with pytest.raises(DataError, match="'anna_1' held out without case 'bert_1'"):
        NIFTI.size(stated, scans, None)


def test_a_split_with_too_few_patients_is_refused(pool_of):
    with pytest.raises(DataError, match="at least one sample must remain"):
        split_pool(pool_of(), validation=2, test=2, seed=0)


def test_sources_may_number_structures_otherwise_and_lack_some_cases(pool_of, scans):
    for case in ("anna_1", "bert_1"):
        image = nibabel.load(scans / "scans" / f"{case}_seg.nii.gz")
        own = np.where(np.asarray(image.dataobj) == 9, 77, 0).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(own, image.affine), scans / "scans" / f"{case}_first.nii.gz")
    first = {"name": "first", "structures": ["Stem"], "labels": "{case}_first.nii.gz", "codes": {"Stem": [77]}}
    pool = pool_of(partial=[first, LOBES])
    with_it, without = (sample.fields["partial_first"] for sample in pool.read(["anna_1", "carl_1"]))
    mask = pool.answers(["anna_1"])[0]["mask"]
    assert np.array_equal(with_it == 1, mask == 3)
    assert bool((without == 2).all()), "what nobody looked at is not annotated"
    assert pool.spec.fields["partial_lobes"].classes == ("background", "Left Lobe", "Right Lobe", "not annotated")


def tilted(affine, angle):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ affine


def test_a_grid_that_two_programs_wrote_a_little_differently_is_the_same(pool_of, scans):
    before = pool_of().digest
    resave(scans / "scans/anna_1_seg.nii.gz", lambda a, t: (a, tilted(t, 1e-4) + np.eye(4, k=3) * 0.05))
    assert pool_of().digest == before


BROKEN = {
    "shape": ("anna_1_seg", lambda a, t: (a[:-1], t), "must have the shape"),
    "spacing": ("anna_1_seg", lambda a, t: (a, t @ np.diag([1.5, 1, 1, 1])), "must have the spacing"),
    "tilt": ("anna_1_seg", lambda a, t: (a, tilted(t, 0.05)), "must lie where"),
    "origin": ("anna_1_seg", lambda a, t: (a, t + np.eye(4, k=3) * 9), "must lie where"),
    "table": (
        "bert_1_seg",
        lambda a, t: (np.where(a == 3, 55, a).astype(np.int16), t),
        "of the table, but got 55",
    ),
    "nan": ("bert_1_t1", lambda a, t: (np.where(a > 130, np.nan, a).astype(np.float32), t), "must hold finite numbers"),
    "constant": ("bert_1_t1", lambda a, t: (np.zeros_like(a), t), "must carry information"),
    "negative": ("bert_1_seg", lambda a, t: (a - 1, t), "codes from 0"),
    "fractions": ("bert_1_seg", lambda a, t: (a + np.float32(0.5), t), "whole numbers"),
    "dimensions": ("bert_1_t1", lambda a, t: (np.stack([a, a], -1), t), "must be one volume"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_files_that_break_a_rule_are_refused_by_name(pool_of, scans, what):
    name, change, rule = BROKEN[what]
    resave(scans / "scans" / f"{name}.nii.gz", change)
    with pytest.raises(DataError, match=rule) as refused:
        pool_of()
    assert name.rpartition("_")[0] in str(refused.value)


def test_a_brain_mask_that_shows_no_head_is_refused_by_name(pool_of, scans):
    for case in ("anna_1", "anna_2", "bert_1", "carl_1"):
        scan = nibabel.load(scans / f"scans/{case}_t1.nii.gz")
        head = (np.asarray(scan.dataobj) > 0) & (case != "bert_1")
        nibabel.save(nibabel.Nifti1Image(head.astype(np.uint8), scan.affine), scans / f"scans/{case}_brain.nii.gz")
    with pytest.raises(DataError, match="bert_1 must show a head at 2 mm"):
        pool_of(brain="{case}_brain.nii.gz")


def test_a_file_whose_position_is_flat_is_refused(pool_of, scans):
    path = scans / "scans/carl_1_t1.nii.gz"
    header = bytearray(gzip.decompress(path.read_bytes()))
    header[280:296] = bytes(16)
    path.write_bytes(gzip.compress(bytes(header)))
    with pytest.raises(DataError, match=r".+/carl_1_t1.nii.gz must"):
        pool_of()


def test_a_region_may_be_a_structure_by_its_own_name(pool_of):
    assert pool_of(regions={"Stem": ["Stem"]}).target.regions == (("Stem", ("Stem",)),)


def test_a_case_without_anything_before_the_border_is_its_own_patient(pool_of):
    pool = pool_of(patient_before="anna", held_out=["anna_1"])
    assert [pool.group(each) for each in pool.ids()] == list(pool.ids())


def test_a_damaged_file_is_refused(pool_of, scans):
    path = scans / "scans/carl_1_t1.nii.gz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r".+/carl_1_t1.nii.gz must be a readable NIfTI file"):
        pool_of()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"structures": {"Lobe": [3, 4], "Stem": [9], "Cyst": [10]}}, "none with 'Cyst'"),
        ({"shape": [8, 8, 8]}, "shape must hold every head"),
        ({"regions": {"Stem": ["* Lobe"]}}, "names of their own, but got 'Stem' twice"),
        ({"regions": {"both": ["* Lobe"]}, "groups": {"both": ["Stem"]}}, "but got 'both' twice"),
        ({"labels": "{case}_gone.nii.gz"}, "every case must have a file"),
        ({"images": ["{case}_gone.nii.gz"]}, "must match 1 to"),
        ({"images": ["/scans/{case}_t1.nii.gz"]}, "must be relative to the pool's folder"),
        ({"folder": "nowhere"}, "folder must exist"),
        ({"held_out": ["dora"]}, "one of the 4"),
        ({"structures": None, "table": "gone.csv"}, "csv file of codes"),
    ],
)
def test_settings_that_the_files_contradict_are_refused(pool_of, settings, rule):
    with pytest.raises(DataError, match=rule):
        pool_of(**settings)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        (
            {"partial": [{"name": "first", "structures": ["Thalamus"]}]},
            "the table's 3, but got 'Thalamus'",
        ),
        ({"regions": {"all": ["Hand"]}}, "but got 'Hand'"),
        ({"structures": None}, "labels must stand together"),
        ({"labels": None, "structures": None, "partial": [LOBES]}, "must stand beside labels"),
        ({"labels": None, "structures": None, "groups": {"both": ["* Lobe"]}}, "must stand beside labels"),
        ({"partial": [LOBES, LOBES]}, "must differ"),
        ({"context": 2}, "context must be 0"),
        ({"images": ["t1.nii.gz"]}, "case"),
        ({"partial": [{**LOBES, "codes": {"Left Lobe": [1]}}]}, "codes must stand beside labels"),
        ({"partial": [{**LOBES, "labels": "{case}_x.nii.gz", "codes": {"* Lobe": [1]}}]}, "named in full"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_before_any_file(pool_of, settings, rule):
    with pytest.raises(ValidationError, match=rule):
        pool_of(**settings)


def test_structures_of_a_table_file_are_those_that_the_cases_hold(pool_of, scans):
    table = scans / "scans/names.csv"
    table.write_text("code,name\n3,Left Lobe\n4,Right Lobe\n9,Stem\n12,Cyst\n", encoding="utf-8")
    assert pool_of(structures=None, table="names.csv").target.classes == (
        "background",
        "Left Lobe",
        "Right Lobe",
        "Stem",
    )
    resave(scans / "scans/bert_1_seg.nii.gz", lambda a, t: (np.where(a == 9, 0, a).astype(np.int16), t))
    assert "Stem" not in pool_of(structures=None, table="names.csv", in_cases=4).target.classes


def test_real_brains_are_read(data_root):
    context = PoolContext(data_root, data_root, 0)
    pool = built(
        "pools",
        "nifti",
        context,
        folder="brain-malf-oasis",
        images=["11{case}_SS.nii.gz"],
        labels="11{case}_glm.nii.gz",
        table="label_names.csv",
        in_cases=2,
        spacing_mm=6.0,
        plane="coronal",
        partial=[{"name": "first", "structures": ["* Caudate", "Brain Stem"]}],
    )
    check_pool(pool, most=4)
    assert len(pool.target.classes) > 100
    assert pool.spec.fields["partial_first"].classes[1:-1] == ("Brain Stem", "Right Caudate", "Left Caudate")
