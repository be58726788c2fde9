"""A synthetic pullback as a valid multi-frame DICOM file, marked as synthetic throughout."""

import hashlib
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from labelers.ivus.pullback import Pullback

ULTRASOUND_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
UID_ROOT = "2.25."
"""UIDs made of a number alone (DICOM PS3.5 B.2): nobody's registered root."""
FRAME_TIME_MS = 33.0


def write_dicom(path: Path | str, pullback: Pullback) -> None:
    """Write frames as 8-bit grey, with the scale as an ultrasound region and as PixelSpacing.

    The patient is called SYNTHETIC; the same frames give the same file. Raises DataError when it cannot be written.
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    grey = _bytes(pullback.frames)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(ULTRASOUND_MULTI_FRAME)
    meta.MediaStorageSOPInstanceUID = UID(_uid("instance", grey))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = _uid("study", grey), _uid("series", grey)
    data.Modality, data.Manufacturer = "IVUS", "synthetic"
    data.PatientName, data.PatientID = "SYNTHETIC", "SYNTHETIC"
    data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = data.StudyID = ""
    data.AccessionNumber = data.ReferringPhysicianName = ""
    data.SeriesNumber = data.InstanceNumber = 1
    data.ImageType = ["DERIVED", "SECONDARY", "INTRAVASCULAR"]
    data.SeriesDescription = "Synthetic frames from a simulator, not clinical data"
    _describe_pixels(data, grey)
    _describe_scale(data, pullback, Dataset())
    data.PixelData = grey.tobytes() + b"\0" * (grey.size % 2)
    try:
        data.save_as(path, enforce_file_format=True)
    except OSError as error:
        raise DataError(f"{str(path)!r} must be writable, but got {error.strerror!r}.") from error


def _bytes(frames: np.ndarray) -> np.ndarray:
    low, high = float(frames.min()), float(frames.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    return np.rint((frames - low) / max(high - low, 1e-9) * 255).astype(np.uint8)


def _uid(kind: str, grey: np.ndarray) -> str:
    digest = hashlib.sha256(kind.encode() + repr(grey.shape).encode() + grey.tobytes()).digest()
    return UID_ROOT + str(int.from_bytes(digest[:16], "big"))


def _describe_pixels(data: object, grey: np.ndarray) -> None:
    values = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "NumberOfFrames": len(grey),
        "Rows": grey.shape[1],
        "Columns": grey.shape[2],
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    }
    for name, value in values.items():
        setattr(data, name, value)


def _describe_scale(data: object, pullback: Pullback, region: object) -> None:
    h, w = pullback.frames.shape[1:]
    values = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": w - 1,
        "RegionLocationMaxY1": h - 1,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": pullback.pixel_size_mm / 10,
        "PhysicalDeltaY": pullback.pixel_size_mm / 10,
    }
    for name, value in values.items():
        setattr(region, name, value)
    data.SequenceOfUltrasoundRegions = [region]  # type: ignore[attr-defined]
    data.PixelSpacing = [round(pullback.pixel_size_mm, 8)] * 2  # type: ignore[attr-defined]
    data.FrameTime = FRAME_TIME_MS  # type: ignore[attr-defined]
    data.FrameIncrementPointer = 0x00181063  # type: ignore[attr-defined]
    if pullback.frame_spacing_mm is not None:
        data.IVUSAcquisition = "MOTOR_PULLBACK"  # type: ignore[attr-defined]
        data.IVUSPullbackRate = pullback.frame_spacing_mm / FRAME_TIME_MS * 1000  # type: ignore[attr-defined]
