import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from dataeff_al.errors import DataError
from labelers.ivus import Pullback, ReadLimits, read_contours, read_pullback, segment, write_contours
from labelers.ivus.simulator.dicom_writing import write_dicom


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).random((4, 48, 40)).astype(np.float32)


@pytest.fixture
def file(tmp_path, frames) -> Path:
    write_dicom(tmp_path / "p.dcm", Pullback(frames, 0.02, 0.5))
    return tmp_path / "p.dcm"


def changed(file: Path, **values: object) -> Path:
    data = dcmread(file)
    for name, value in values.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(file)
    return file


def test_a_dicom_file_gives_frames_scale_and_spacing(file, frames):
    pullback = read_pullback(file)
    assert np.abs(pullback.frames / 255 - frames).max() < 0.003
    assert pullback.pixel_size_mm == pytest.approx(0.02)
    assert pullback.frame_spacing_mm == pytest.approx(0.5)


def test_nothing_of_the_patient_is_kept(file):
    changed(file, PatientName="Doe^Jane", PatientID="12345")
    pullback = read_pullback(file)
    assert set(vars(pullback)) == {"frames", "pixel_size_mm", "frame_spacing_mm", "centre_px"}


def functional_groups(spacing: float) -> list[Dataset]:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [spacing, spacing]
    group.PixelMeasuresSequence = [measures]
    return [group]


@pytest.mark.parametrize(
    "place",
    [
        {"PixelSpacing": [0.031, 0.031]},
        {"NominalScannedPixelSpacing": [0.031, 0.031]},
        {"ImagerPixelSpacing": [0.031, 0.031]},
        {"SharedFunctionalGroupsSequence": functional_groups(0.031)},
    ],
)
def test_the_scale_is_found_in_every_place(file, place):
    changed(file, SequenceOfUltrasoundRegions=None, PixelSpacing=None)
    assert read_pullback(changed(file, **place)).pixel_size_mm == pytest.approx(0.031)


def test_frames_are_cut_to_the_ultrasound_region(file):
    region = dcmread(file).SequenceOfUltrasoundRegions[0]
    region.RegionLocationMaxY1 = 39
    assert read_pullback(changed(file, SequenceOfUltrasoundRegions=[region])).frames.shape == (4, 40, 40)


@pytest.mark.parametrize(
    ("values", "spacing"),
    [
        ({"FrameTime": 40.0, "IVUSPullbackRate": 1.0}, 0.04),
        ({"FrameTime": None, "CineRate": 10, "IVUSPullbackRate": 0.5}, 0.05),
        ({"IVUSAcquisition": "GATED_PULLBACK", "IVUSGatedRate": 0.4}, 0.4),
        ({"IVUSPullbackRate": None}, None),
    ],
)
def test_the_spacing_follows_rate_and_frame_time(file, values, spacing):
    found = read_pullback(changed(file, **values)).frame_spacing_mm
    assert found == (None if spacing is None else pytest.approx(spacing))


def test_run_length_compression_is_read(file, frames):
    data = dcmread(file)
    data.compress(RLELossless)
    data.save_as(file)
    assert np.abs(read_pullback(file).frames / 255 - frames).max() < 0.003


def test_each_second_frame_doubles_the_spacing(file, frames):
    pullback = read_pullback(file, every=2)
    assert len(pullback) == 2
    assert pullback.frame_spacing_mm == pytest.approx(1.0)
    assert np.abs(pullback.frames[1] / 255 - frames[2]).max() < 0.003


def test_oblong_pixels_become_square(file):
    changed(file, SequenceOfUltrasoundRegions=None, PixelSpacing=[0.04, 0.02])
    pullback = read_pullback(file)
    assert pullback.frames.shape == (4, 96, 40)
    assert pullback.pixel_size_mm == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"SequenceOfUltrasoundRegions": None, "PixelSpacing": None}, "must state its pixel size"),
        ({"SequenceOfUltrasoundRegions": None, "PixelSpacing": [0.0, 0.0]}, "must state its pixel size"),
        ({"Modality": "CT"}, "modality must be"),
        ({"NumberOfFrames": 0}, "at least one frame"),
        ({"NumberOfFrames": 400}, "frames must be decodable"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "frames must be grey"),
        ({"Rows": 60000, "Columns": 60000, "NumberOfFrames": 30000}, "1 to 4096 pixels a side"),
        ({"Rows": 4000, "Columns": 4000, "NumberOfFrames": 9000}, "to be read at once"),
        ({"BitsAllocated": 32}, "8 or 16 bits"),
    ],
)
def test_bad_headers_are_refused_at_once(file, values, rule):
    changed(file, **values)
    started = time.process_time()
    with pytest.raises(DataError, match=rule):
        read_pullback(file)
    assert time.process_time() - started < 5


def test_an_unknown_or_deflated_syntax_is_refused(file):
    content = file.read_bytes()
    known = b"1.2.840.10008.1.2.1\0"
    assert content.count(known) == 1
    for uid, rule in ((b"1.2.840.10008.1.2.7\0", "can be decoded"), (b"1.2.840.10008.1.2.1.99", "deflated")):
        length = len(known).to_bytes(2, "little") + known
        file.write_bytes(content.replace(length, len(uid).to_bytes(2, "little") + uid))
        with pytest.raises(DataError, match=rule):
            read_pullback(file)


@pytest.mark.parametrize("keep", [100, 140, 400, 900, -500])
def test_a_truncated_file_is_refused(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match="must"):
        read_pullback(file)


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "text.dcm").write_text("hello")
    with pytest.raises(DataError, match="must be a DICOM file"):
        read_pullback(tmp_path / "text.dcm")
    with pytest.raises(DataError, match="existing file"):
        read_pullback(tmp_path / "none.dcm")
    with pytest.raises(DataError, match="every must be"):
        read_pullback(tmp_path, every=0)


def test_folders_of_images_are_read_in_natural_order(tmp_path, frames):
    for place, number in enumerate((1, 2, 10, 11)):
        Image.fromarray((frames[place] * 255).astype(np.uint8)).save(tmp_path / f"f{number}.png")
    pullback = read_pullback(tmp_path, pixel_size_mm=0.03, frame_spacing_mm=0.2)
    assert np.abs(pullback.frames / 255 - frames).max() < 0.005
    with pytest.raises(DataError, match="pixel size"):
        read_pullback(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8)).save(tmp_path / "g.png")
    with pytest.raises(DataError, match="must be grey"):
        read_pullback(tmp_path, pixel_size_mm=0.03)


def test_image_bombs_and_broken_images_are_refused(tmp_path):
    Image.new("L", (6000, 6000)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="pixels a side"):
        read_pullback(tmp_path, pixel_size_mm=0.03)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match="must be readable"):
        read_pullback(tmp_path, pixel_size_mm=0.03)


def test_npz_files_are_read_and_bad_ones_refused(tmp_path, frames):
    path = tmp_path / "p.npz"
    np.savez(path, frames=frames, pixel_size_mm=0.02, frame_spacing_mm=0.1)
    assert read_pullback(path).frame_spacing_mm == pytest.approx(0.1)
    np.savez(path, x=frames[None, None], pixel_size_mm=0.02)
    assert read_pullback(path).frames.shape == frames.shape
    np.savez(path, frames=frames)
    with pytest.raises(DataError, match="pixel size"):
        read_pullback(path)
    np.savez_compressed(path, frames=np.zeros((3000, 400, 400), np.uint8), pixel_size_mm=0.02)
    with pytest.raises(DataError, match=r"must (have|take) at most"):
        read_pullback(path, limits=ReadLimits(pixels=1 << 22))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil.txt", "x")
    with pytest.raises(DataError, match="must be named"):
        read_pullback(path)


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (np.full((2, 32, 32), np.nan), "finite"),
        (np.zeros((2, 32, 32)), "show something"),
        (np.zeros((0, 32, 32)), r"must be \(n, h, w\)"),
        (np.zeros((2, 32, 4)), "at least 16 pixels"),
        (np.array([["a"]]), r"must be \(n, h, w\)"),
    ],
)
def test_frames_that_are_none_are_refused(bad, rule):
    with pytest.raises(DataError, match=rule):
        Pullback(bad, 0.02)


def test_contours_written_are_read_again(tmp_path, clean20):
    borders = segment(clean20.pullback)
    write_contours(tmp_path, borders)
    again = read_contours(tmp_path)
    assert len(again) == len(borders)
    assert again.frame_spacing_mm == pytest.approx(0.5)
    assert np.abs(again.eem_mm[1] - borders.eem_mm[1]).max() < 1e-5


@pytest.mark.parametrize("text", ["", "1\t2\t3\n", "a\tb\tc\td\n", "1\tnan\t0\t0\n"])
def test_tables_that_are_none_are_refused(tmp_path, text):
    for part in ("", "eem_"):
        (tmp_path / f"{part}diastolic_contours.csv").write_text(text)
    with pytest.raises(DataError, match="must hold frame, x, y, z"):
        read_contours(tmp_path)
