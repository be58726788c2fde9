from io import BytesIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from dataeff_al.labeling.picturing import Illustrator
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.report.pictures import TISSUE_COLOURS
from dataeff_al.report.style import SERIES, styled
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from dataeff_al.vessel.tissues import TISSUES
from labelers.fem_stress.plot_panels import Scene
from labelers.fem_stress.plotting import refusal_figure, refusal_picture, stress_figure, stress_picture
from labelers.fem_stress.settings import HYPERELASTIC_TISSUES, StressSettings
from labelers.fem_stress.spec import PLUGIN, FemStressParams

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def scene(peak: tuple[int, int] = (40, 60), settings: StressSettings | None = None, scale: float = 1.0) -> Scene:
    """A ring of wall with lipid, stress 10 kPa everywhere and 77.7 kPa in one pixel."""
    y, x = np.mgrid[:80, :80] - 39.5
    r = np.hypot(x, y)
    mask = np.where(r < 15, 1, np.where(r < 32, 2, 0)).astype(np.uint8)
    mask[(np.hypot(x - 22, y) < 4)] = 4
    stress = np.where(mask > 1, 10.0, np.nan)
    stress[peak] = 77.7
    t, radii = np.arange(32) * np.pi / 16, np.linspace(1.5, 3.2, 9)
    nodes = radii[None, :, None] * np.column_stack([np.cos(t), np.sin(t)])[:, None]
    maps = {"first_principal": stress, "von_mises": scale * stress}
    return Scene("ring-1", mask, 0.1, nodes, maps, settings or StressSettings(), {"audit_error": "1.5 %"})


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def count(picture: np.ndarray, colour: str) -> int:
    wanted = np.round(np.array(to_rgb(colour)) * 255)
    return int((np.abs(picture - wanted).max(axis=-1) <= 1).sum())


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_every_tissue_of_the_section_is_in_the_picture_in_its_colour_and_no_other():
    picture = pixels(stress_picture(scene()))
    wall, lipid = count(picture, TISSUE_COLOURS["wall"]), count(picture, TISSUE_COLOURS["lipid"])
    areas = [(scene().mask == code).sum() for code in (2, 4)]
    assert wall / lipid == pytest.approx(areas[0] / areas[1], rel=0.15)
    assert count(picture, TISSUE_COLOURS["lumen"]) > 1000
    assert count(picture, TISSUE_COLOURS["calcium"]) < 50
    assert count(picture, TISSUE_COLOURS["adventitia"]) == 0


def test_the_mark_stands_where_the_peak_is():
    def mark(column: int) -> tuple[float, float]:
        picture = pixels(stress_picture(scene((40, column)))).astype(int)
        half = picture[picture.shape[0] // 2 :, : picture.shape[1] // 2]
        wanted = np.round(np.array(to_rgb(SERIES[1])) * 255)
        _, columns = np.nonzero(np.abs(half - wanted).max(axis=-1) < 30)
        return float(np.percentile(columns, 2)), float(np.percentile(columns, 98))

    (left_a, right_a), (left_b, right_b) = mark(12), mark(67)
    assert left_a < left_b - 50
    assert right_a < right_b - 50


def test_the_words_name_pressure_law_tissues_units_and_peak():
    with styled():
        linear = words(stress_figure(scene(scale=0.5)))
        finite = words(stress_figure(scene(settings=StressSettings(16.0, tissues=HYPERELASTIC_TISSUES))))
    for expected in (
        "ring-1",
        "lumen pressure 110 mmHg (14.67 kPa)",
        "linear elastic, small strain",
        "outer border free",
        "peak 77.7 kPa\n(lipid)",
        "peak 38.9 kPa\n(lipid)",
        "wall 300 kPa",
        "lipid 6 kPa",
        "Young's modulus",
        "mesh of 4 × 16",
        "audit error: 1.5 %",
        "x (mm)",
        "y (mm)",
        "kPa",
    ):
        assert expected in linear
    assert "120 mmHg (16.00 kPa)" in finite
    assert "hyperelastic, finite strain" in finite
    assert "wall 131 kPa" in finite
    assert "calcium" not in finite


def test_nothing_is_cut_off_at_the_edges_of_the_fullest_picture():
    full = scene(settings=StressSettings(outer="elastic_foundation", imaged_at_kpa=10.0, tissues=HYPERELASTIC_TISSUES))
    full.mask[38:42, 5:70] = np.repeat([2, 3, 4, 5, 6], 13)
    picture = pixels(stress_picture(full))
    edges = np.concatenate([picture[:, :2].reshape(-1, 3), picture[:, -2:].reshape(-1, 3)])
    assert edges.min() > 250


def test_the_same_label_gives_the_same_bytes_and_another_one_others():
    assert stress_picture(scene()) == stress_picture(scene())
    assert stress_picture(scene()) != stress_picture(scene((40, 61)))


@pytest.mark.parametrize(
    "mask",
    [
        np.full((40, 40), 9, np.uint8),
        np.zeros((40, 40), np.uint8),
        np.arange(1600).reshape(40, 40),
        np.full((5, 40, 40), 2, np.uint8),
        np.full((40, 40), np.nan),
        np.zeros((0, 0), np.uint8),
    ],
)
def test_a_refusal_is_drawn_with_its_reason_whatever_the_mask_is(mask):
    with styled():
        said = words(refusal_figure("s", mask, None, "there must be a lumen, but got\nnone"))
    assert "No label: there must be a lumen, but got none" in said
    picture = pixels(refusal_picture("s", mask, None, "there must be a lumen"))
    assert picture.std() > 1


def test_a_refused_section_shows_its_tissues_and_millimetres():
    mask = scene().mask
    with styled():
        said = words(refusal_figure("s", mask, 0.1, "no"))
    assert "x (mm)" in said
    assert "lipid" in said
    assert count(pixels(refusal_picture("s", mask, 0.1, "no")), TISSUE_COLOURS["wall"]) > 5000


@pytest.mark.parametrize("channels", [["circumferential"], ["first_principal", "von_mises"]])
def test_the_labeler_draws_both_stresses_whatever_channels_it_answers(channels, tmp_path):
    pool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=8), PoolContext(Path(), None, 7))
    maker = PLUGIN.factory()(FemStressParams(channels=channels), LabelerContext(pool, Path(), None))
    sample = pool.read(pool.ids()[:1])[0]
    label = maker.label([Request("a", sample)])[0]
    assert isinstance(label, Label)
    maker.plot(sample, label, tmp_path / "label.png")
    both = PLUGIN.factory()(
        FemStressParams(channels=["first_principal", "von_mises"]), LabelerContext(pool, Path(), None)
    )
    both.plot(sample, both.label([Request("a", sample)])[0], tmp_path / "both.png")
    difference = np.abs(
        pixels((tmp_path / "label.png").read_bytes()).astype(int) - pixels((tmp_path / "both.png").read_bytes())
    )
    assert (difference.max(axis=-1) > 8).mean() < 1e-3


def test_a_campaigns_report_gets_the_labelers_pictures():
    pool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=8), PoolContext(Path(), None, 7))
    maker, blobs = PLUGIN.factory()(FemStressParams(), LabelerContext(pool, Path(), None)), MemoryBlobs()
    request = Request("a", pool.read(pool.ids()[:1])[0])
    outcome = maker.label([request])[0]
    illustrator = Illustrator(maker, blobs)
    assert illustrator.wants(request, outcome)
    assert pixels(blobs.get(illustrator.picture(request, outcome))).std() > 1


def test_the_labeler_draws_what_it_refused(tmp_path):
    pool = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=8), PoolContext(Path(), None, 7))
    maker = PLUGIN.factory()(FemStressParams(), LabelerContext(pool, Path(), None))
    sample = Sample(SampleId("bad"), {"mask": np.full((64, 64), 2, np.uint8), "pixel_size_mm": np.array(np.nan)}, "g")
    failure = maker.label([Request("a", sample)])[0]
    assert isinstance(failure, LabelFailure)
    maker.plot_failure(sample, failure, tmp_path / "bad.png")
    assert count(pixels((tmp_path / "bad.png").read_bytes()), TISSUE_COLOURS["wall"]) > 5000


@pytest.mark.parametrize("kind", BLINDNESS)
def test_any_two_tissues_differ_for_every_eye(kind):
    rgb = np.array([to_rgb(TISSUE_COLOURS[name]) for name in TISSUES])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(BLINDNESS[kind]).T, 0, 1)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(shown[None])[0]
    apart = {(a, b): deltaE_ciede2000(lab[i], lab[j]) for (i, a), (j, b) in combinations(enumerate(TISSUES), 2)}
    assert min(apart.values()) > 15, min(apart, key=apart.get)
