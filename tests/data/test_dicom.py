import shutil
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from striate.data import read_image
from striate.data.image import count_frames


def bundled(name):
    """A file that comes with pydicom."""
    return Path(get_testdata_file(name, download=False))


def scaled(windowed, dataset):
    """pydicom's windowed values, which span the stored range after rescale, brought to 0 .. 255."""
    bits, signed = dataset.BitsStored, dataset.PixelRepresentation
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    low = (-(2 ** (bits - 1)) if signed else 0) * slope + intercept
    high = (2 ** (bits - 1) - 1 if signed else 2**bits - 1) * slope + intercept
    return (windowed - low) / (high - low) * 255


def make(path, stored, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, **attributes):
    """Write a small DICOM file around `stored`: (H, W), (frames, H, W), or (H, W, 3) for colour."""
    stored = np.asarray(stored)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    colour = photometric == "RGB"
    if stored.ndim == 3 and not colour:
        dataset.NumberOfFrames = len(stored)
    dataset.Rows, dataset.Columns = stored.shape[:2] if colour else stored.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.HighBit = dataset.BitsStored - 1
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    content = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


def table(entries, first, bits, as_bytes=False, order="<"):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    if as_bytes:
        item.add_new("LUTData", "OW", struct.pack(f"{order}{len(entries)}H", *entries))
    else:
        item.add_new("LUTData", "US", list(entries))
    return Sequence([item])


def group(**macros):
    """An item of a functional group sequence: macro name -> attributes."""
    item = Dataset()
    for name, attributes in macros.items():
        inner = Dataset()
        for key, value in attributes.items():
            setattr(inner, key, value)
        setattr(item, name, Sequence([inner]))
    return item


def test_ct_in_hounsfield_units():
    path = bundled("CT_small.dcm")
    dataset = pydicom.dcmread(path)
    expected = apply_modality_lut(pixel_array(dataset), dataset)
    got = read_image(path, dtype="float32")
    assert got.shape == (128, 128, 1) and got.dtype == np.float32
    assert np.array_equal(got[..., 0], expected)
    assert got.min() == -896 and got.max() == 1167


@pytest.mark.parametrize("window", [(40, 400), (-600, 1500), (300.5, 2000)])
def test_ct_with_a_window_follows_pydicom(window):
    path = bundled("CT_small.dcm")
    dataset = pydicom.dcmread(path)
    units = apply_modality_lut(pixel_array(dataset), dataset)
    dataset.WindowCenter, dataset.WindowWidth = window
    dataset.VOILUTFunction = "LINEAR_EXACT"
    expected = scaled(apply_windowing(units, dataset), dataset)
    assert np.allclose(read_image(path, window=window, dtype="float32")[..., 0], expected, atol=1e-3)
    got = read_image(path, window=window)
    assert got.dtype == np.uint8 and np.abs(got[..., 0] - expected).max() <= 0.501


def test_without_a_window_deep_values_go_from_smallest_to_largest():
    units = read_image(bundled("CT_small.dcm"), dtype="float32").astype(np.float64)
    expected = (units - units.min()) / (units.max() - units.min()) * 255
    got = read_image(bundled("CT_small.dcm"))
    assert np.abs(got - expected).max() <= 0.501
    assert np.array_equal(got, read_image(bundled("CT_small.dcm"), window="minmax"))


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"]
)
def test_mr_with_its_own_window_follows_pydicom(name):
    dataset = pydicom.dcmread(bundled(name))
    assert (dataset.WindowCenter, dataset.WindowWidth) == (600, 1600)
    expected = scaled(apply_windowing(pixel_array(dataset), dataset), dataset)
    got = read_image(bundled(name))
    assert got.shape == (64, 64, 1) and got.dtype == np.uint8
    assert np.abs(got[..., 0] - expected).max() <= 0.501
    assert np.array_equal(read_image(bundled(name), dtype="float32")[..., 0], pixel_array(dataset))


def test_the_first_of_several_windows():
    dataset = pydicom.dcmread(bundled("examples_overlay.dcm"))
    assert list(dataset.WindowCenter) == [450, 200]
    expected = scaled(apply_windowing(pixel_array(dataset), dataset, index=0), dataset)
    assert np.abs(read_image(bundled("examples_overlay.dcm"))[..., 0] - expected).max() <= 0.501


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm"])
def test_jpeg_2000_follows_pydicom(name):
    dataset = pydicom.dcmread(bundled(name))
    units = apply_modality_lut(pixel_array(dataset), dataset)
    assert np.array_equal(read_image(bundled(name), dtype="float32")[..., 0], units)
    assert np.abs(read_image(bundled(name))[..., 0] - scaled(apply_windowing(units, dataset), dataset)).max() <= 0.501


@pytest.mark.parametrize(
    "name",
    [
        "examples_rgb_color.dcm",  # ultrasound
        "ExplVR_BigEnd.dcm",  # ultrasound, big endian
        "SC_rgb_rle.dcm",
        "SC_rgb_small_odd.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",  # YBR_FULL
        "SC_ybr_full_422_uncompressed.dcm",
        "examples_jpeg2k.dcm",  # YBR_RCT
    ],
)
def test_colour_follows_pydicom(name):
    expected = pixel_array(bundled(name))
    for dtype in ("uint8", "float32"):
        got = read_image(bundled(name), dtype=dtype)
        assert got.dtype == dtype and np.array_equal(got, expected)
    grey = read_image(bundled(name), color_mode="grayscale")[..., 0]
    luma = expected @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - luma).max() <= 1


def test_ybr_is_rgb_in_the_end():
    red = read_image(bundled("SC_ybr_full_422_uncompressed.dcm"))[5, 50]
    assert red[0] > 240 and red[1] < 10 and red[2] < 10


def test_deep_colour_keeps_its_upper_bits():
    eight, sixteen = read_image(bundled("SC_rgb_rle.dcm")), read_image(bundled("SC_rgb_rle_16bit.dcm"))
    assert sixteen.dtype == np.uint8
    assert np.abs(eight.astype(int) - sixteen).max() <= 1


def test_palette_colour_follows_pydicom():
    dataset = pydicom.dcmread(bundled("examples_palette.dcm"))
    expected = apply_color_lut(pixel_array(dataset), dataset)
    got = read_image(bundled("examples_palette.dcm"))
    assert got.shape == (350, 800, 3)
    assert np.array_equal(got, expected if expected.dtype == np.uint8 else np.rint(expected / 257))


def test_frames_follow_pydicom():
    path = bundled("examples_ybr_color.dcm")
    for frame in (0, 7, 29):
        assert np.array_equal(read_image(path, frame=frame), pixel_array(path, index=frame))
    with pytest.raises(ValueError, match=r"^read_image: .*examples_ybr_color\.dcm has 30 frames, so no frame 30$"):
        read_image(path, frame=30)


def test_eight_bits_stay_as_they_are():
    expected = pydicom.dcmread(bundled("image_dfl.dcm")).pixel_array
    assert np.array_equal(read_image(bundled("image_dfl.dcm"))[..., 0], expected)


def test_one_bit_is_black_and_white():
    expected = pixel_array(bundled("liver_1frame.dcm")) * 255
    assert np.array_equal(read_image(bundled("liver_1frame.dcm"))[..., 0], expected)


def test_monochrome1_is_inverted_and_its_values_are_not(tmp_path):
    stored = np.array([[0, 100, 200, 255]], dtype=np.uint8)
    path = make(tmp_path / "a.dcm", stored, "MONOCHROME1")
    assert read_image(path).ravel().tolist() == [255, 155, 55, 0]
    assert read_image(path, window=(100, 200)).ravel().tolist() == [255, 128, 0, 0]
    assert read_image(path, dtype="float32").ravel().tolist() == [0, 100, 200, 255]


def test_padding_does_not_set_the_range(tmp_path):
    stored = np.array([[-2000, 0, 50, 100]], dtype=np.int16)
    assert read_image(make(tmp_path / "a.dcm", stored)).ravel().tolist() == [0, 243, 249, 255]
    padded = make(tmp_path / "b.dcm", stored, PixelPaddingValue=-2000)
    assert read_image(padded).ravel().tolist() == [0, 0, 128, 255]
    nothing = make(tmp_path / "c.dcm", np.full((2, 2), -2000, np.int16), PixelPaddingValue=-2000)
    assert not read_image(nothing).any()


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", "sigmoid"])
def test_window_functions_follow_pydicom(tmp_path, function):
    stored = np.arange(-200, 200, dtype=np.int16).reshape(20, 20)
    path = make(
        tmp_path / "a.dcm",
        stored,
        WindowCenter=20,
        WindowWidth=150,
        VOILUTFunction=function.upper(),
        RescaleSlope=0.5,
        RescaleIntercept=3,
    )
    dataset = pydicom.dcmread(path)
    expected = scaled(apply_windowing(apply_modality_lut(stored, dataset), dataset), dataset)
    assert np.abs(read_image(path)[..., 0] - expected).max() <= 0.501
    assert np.array_equal(read_image(path, dtype="float32")[..., 0], stored * np.float32(0.5) + 3)


@pytest.mark.parametrize(("width", "expected"), [(1, [0, 0, 255, 255]), (2, [0, 0, 255, 255]), (0, [0, 85, 170, 255])])
def test_narrow_windows(tmp_path, width, expected):
    # By the standard the width 1 is a threshold; 0 is not a window, and some files have it.
    path = make(tmp_path / "a.dcm", np.array([[0, 1, 2, 3]], np.uint16), WindowCenter=2, WindowWidth=width)
    assert read_image(path).ravel().tolist() == expected


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_voi_table(tmp_path, as_bytes, syntax):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    sequence = table([0, 1000, 3000, 4095], 10, 12, as_bytes, order)
    stored = np.array([[0, 10, 11, 12, 13, 500]], dtype=np.uint16)
    path = make(tmp_path / "a.dcm", stored, syntax=syntax, VOILUTSequence=sequence, WindowCenter=1, WindowWidth=2)
    assert read_image(path).ravel().tolist() == [0, 0, 62, 187, 255, 255]
    assert read_image(path, window=(250, 500)).ravel().tolist() == [0, 5, 6, 6, 7, 255]


def test_voi_table_of_eight_bits_with_many_entries(tmp_path):
    entries = [n // 16 for n in range(4096)]
    path = make(tmp_path / "a.dcm", np.array([[0, 256, 4095, 60000]], np.uint16), VOILUTSequence=table(entries, 0, 8))
    assert read_image(path).ravel().tolist() == [0, 16, 255, 255]


def test_modality_table(tmp_path):
    stored = np.array([[0, 1, 2, 9]], dtype=np.uint8)
    sequence = table([10, 20, 40], 0, 16)
    sequence[0].ModalityLUTType = "US"
    path = make(tmp_path / "a.dcm", stored, ModalityLUTSequence=sequence)
    assert read_image(path, dtype="float32").ravel().tolist() == [10, 20, 40, 40]
    assert read_image(path).ravel().tolist() == [0, 85, 255, 255]


def test_functional_groups_of_enhanced_files(tmp_path):
    stored = np.array([[[0, 10]], [[0, 10]], [[0, 10]]], dtype=np.uint16)
    path = make(
        tmp_path / "a.dcm",
        stored,
        SharedFunctionalGroupsSequence=Sequence(
            [
                group(
                    PixelValueTransformationSequence={"RescaleSlope": 2, "RescaleIntercept": -1, "RescaleType": "US"},
                    FrameVOILUTSequence={"WindowCenter": 10, "WindowWidth": 40},
                )
            ]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(
            [
                group(),
                group(FrameVOILUTSequence={"WindowCenter": 0, "WindowWidth": 2, "VOILUTFunction": "LINEAR_EXACT"}),
                group(PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": 5, "RescaleType": "US"}),
            ]
        ),
    )
    raw = [read_image(path, frame=frame, dtype="float32").ravel().tolist() for frame in range(3)]
    assert raw == [[-1, 19], [-1, 19], [5, 15]]
    assert read_image(path, frame=1).ravel().tolist() == [0, 255]
    # LINEAR: (x - 9.5) / 39 + 0.5 of 255.
    assert read_image(path, frame=0).ravel().tolist() == [59, 190]
    assert read_image(path, frame=2).ravel().tolist() == [98, 163]


def test_size_and_colour_mode():
    path = bundled("CT_small.dcm")
    got = read_image(path, color_mode="rgb", size=(32, 64), window=(40, 400))
    assert got.shape == (32, 64, 3) and got.dtype == np.uint8
    assert np.array_equal(got[..., 0], got[..., 1]) and np.array_equal(got[..., 0], got[..., 2])
    area = read_image(path, size=64, interpolation="area", dtype="float32")[..., 0]
    units = read_image(path, dtype="float32")[..., 0]
    assert np.allclose(area, units.reshape(64, 2, 64, 2).mean(axis=(1, 3)), atol=1e-3)


def test_dicom_is_told_by_its_content(tmp_path):
    shutil.copy(bundled("MR_small.dcm"), tmp_path / "IM00001")
    assert np.array_equal(read_image(tmp_path / "IM00001"), read_image(bundled("MR_small.dcm")))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MR_truncated.dcm", "cannot decode the DICOM file .*The number of bytes of pixel data is less than expected"),
        ("rtplan.dcm", r"cannot read the DICOM file .*rtplan\.dcm: it holds no image"),
        ("badVR.dcm", r"cannot read the DICOM file .*badVR\.dcm: "),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_files_that_come_with_pydicom(name, message):
    with pytest.raises(OSError, match=message):
        read_image(bundled(name))


@pytest.mark.parametrize(
    "content", [b"", b"no DICOM at all", bytes(128) + b"DICM", bytes(128) + b"DICM" + b"\xff" * 64]
)
def test_what_is_no_dicom(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(OSError, match=r"cannot (read|decode) the DICOM file .*a\.dcm"):
        read_image(tmp_path / "a.dcm")


@pytest.mark.filterwarnings("ignore")  # pydicom warns of much that it then reads
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_damage_anywhere_is_an_oserror_or_an_image(tmp_path_factory, place, patch):
    path = tmp_path_factory.getbasetemp() / "fuzz.dcm"
    content = bytearray(
        make(path, np.arange(64, dtype=np.uint8).reshape(8, 8), WindowCenter=30, WindowWidth=9).read_bytes()
    )
    place %= len(content)
    content[place : place + len(patch)] = patch
    path.write_bytes(content)
    try:
        image = read_image(path, color_mode="grayscale", size=(4, 4))
    except OSError as error:
        assert "fuzz.dcm" in str(error)
    else:
        assert image.shape == (4, 4, 1) and image.dtype == np.uint8


def test_a_window_for_colour_is_refused(tmp_path):
    path = make(tmp_path / "a.dcm", np.zeros((2, 2, 3), np.uint8), "RGB")
    with pytest.raises(ValueError, match=r"^read_image: a window is for grey images, but .*a\.dcm is RGB$"):
        read_image(path, window=(40, 400))


def test_an_unknown_photometric_interpretation(tmp_path):
    path = make(tmp_path / "a.dcm", np.zeros((2, 2), np.uint8), "HSV")
    with pytest.raises(OSError, match=r"a\.dcm: .*HSV"):
        read_image(path)


@pytest.mark.parametrize("frames", ["-1", "-999999999", "999999999"])
def test_an_impossible_number_of_frames(tmp_path, frames):
    path = make(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8), NumberOfFrames=frames)
    for call in (read_image, count_frames):
        with pytest.raises(OSError, match=rf"a\.dcm: it has {frames} frames; 1 to 10000 are read"):
            call(path)


def test_frames_of_another_type(tmp_path):
    """A sequence in place of the number."""
    path = make(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8), NumberOfFrames=1)
    content = path.read_bytes()
    at = content.index(struct.pack("<HH2s", 0x28, 8, b"IS"))
    path.write_bytes(
        content[:at] + struct.pack("<HH2sHIHHI", 0x28, 8, b"SQ", 0, 8, 0xFFFE, 0xE000, 0) + content[at + 10 :]
    )
    for call in (read_image, count_frames):
        with pytest.raises(OSError, match=r"cannot (read|decode) the DICOM file .*a\.dcm"):
            call(path)
