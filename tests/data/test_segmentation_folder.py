import shutil

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

import striate as st
from striate.data import SegmentationFolder, read_image


def put(path, values, mode=None, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values))
    if palette:
        image.putpalette(palette)
    image.save(path) if mode is None else image.convert(mode).save(path)


def mode(path):
    with Image.open(path) as image:
        return image.mode


def picture(seed, height=6, width=8):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def labels(seed, classes=2, height=6, width=8):
    values = np.random.default_rng(seed).integers(0, classes, (height, width), dtype=np.uint8)
    values[0, :2] = 0, classes - 1
    return values


@pytest.fixture
def cells(tmp_path):
    """Three pairs, masks of 0 and 255."""
    for n, name in enumerate("abc"):
        put(tmp_path / "images" / f"{name}.png", picture(n))
        put(tmp_path / "masks" / f"{name}.tif", labels(n) * np.uint8(255))
    return tmp_path / "images", tmp_path / "masks"


def test_pairs_by_name_and_255_is_class_1(cells):
    data = SegmentationFolder(*cells)
    assert data.images.dtype == np.uint8 and data.labels.dtype == np.uint8
    for n in range(3):
        assert np.array_equal(data.images[n], picture(n)) and np.array_equal(data.labels[n], labels(n))
    assert data.class_names == ["0", "1"] and data.skipped == [] and data.frames == [0, 0, 0]
    assert data.file_paths == [str(cells[0] / f"{name}.png") for name in "abc"]
    assert data.mask_paths == [str(cells[1] / f"{name}.tif") for name in "abc"]
    assert repr(data) == "SegmentationFolder(uint8 (3, 6, 8, 3), 2 classes)"
    assert data.images is data.x and data.labels is data.y
    grey = SegmentationFolder(*cells, color_mode="grayscale", dtype="float32")
    assert grey.images.shape == (3, 6, 8, 1) and grey.images.dtype == np.float32
    assert np.array_equal(grey.images[1], read_image(cells[0] / "b.png", "grayscale", dtype="float32"))


def test_the_rule_of_255_looks_at_all_masks(cells):
    put(cells[1] / "a.tif", labels(0))
    put(cells[1] / "b.tif", np.zeros((6, 8), np.uint8))
    with pytest.raises(
        ValueError, match=r"the masks hold 0, 1, 255: 255 in .*c\.tif, 0, 1 in .*a\.tif.* ignore_class=255"
    ):
        SegmentationFolder(*cells)  # 1 occurs beside 255
    put(cells[1] / "a.tif", np.full((6, 8), 255, np.uint8))
    assert np.unique(SegmentationFolder(*cells).labels).tolist() == [0, 1]
    # Unmarked pixels stay what they are.
    assert np.unique(SegmentationFolder(*cells, ignore_class=255).labels).tolist() == [0, 255]


@pytest.mark.parametrize("kind", ["palette", "grey", "bits", "16 bits", "32 bits", "float", "equal channels", "alpha"])
def test_kinds_of_masks(tmp_path, kind):
    classes = 2 if kind == "bits" else 4
    values = labels(1, classes)
    put(tmp_path / "images" / "a.png", picture(1))
    target = tmp_path / "masks" / ("a.tif" if kind in ("32 bits", "float") else "a.png")
    if kind == "palette":
        put(target, values, palette=[9, 8, 7, 200, 0, 0, 0, 200, 0, 5, 5, 5])
        assert mode(target) == "P"
    elif kind == "grey":
        put(target, values)
    elif kind == "bits":
        put(target, values.astype(bool))
        assert mode(target) == "1"
    elif kind == "equal channels":
        put(target, np.repeat(values[..., None], 3, axis=2))
    elif kind == "alpha":
        put(target, np.stack([values, np.full_like(values, 255)], axis=2))
    else:
        put(target, values.astype({"16 bits": np.uint16, "32 bits": np.int32, "float": np.float32}[kind]))
    data = SegmentationFolder(tmp_path / "images", tmp_path / "masks")
    assert np.array_equal(data.labels[0], values)
    assert data.class_names == [str(number) for number in range(classes)]


def test_values_lead_to_classes(cells):
    for n, name in enumerate("abc"):
        put(cells[1] / f"{name}.tif", np.array([0, 40, 90], np.uint8)[labels(n, 3)])
    data = SegmentationFolder(*cells, values={0: 0, 90: 1, 40: 255}, ignore_class=255)
    assert np.array_equal(data.labels[2], np.array([0, 255, 1])[labels(2, 3)])
    far = SegmentationFolder(*cells, values={0: 0, 90: 1, 40: -1}, ignore_class=-1)
    assert far.labels.dtype == np.int32 and far.labels.min() == -1
    assert np.array_equal(SegmentationFolder(*cells, values="nonzero").labels[0], labels(0, 3) > 0)
    with pytest.raises(ValueError, match=r"a\.tif holds the value 40, which is not among values"):
        SegmentationFolder(*cells, values={0: 0, 90: 1})


def test_colours_lead_to_classes(tmp_path):
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    meaning = {(0, 0, 0): 0, (255, 0, 0): 2, (0, 0, 255): 1}
    put(tmp_path / "images" / "a.png", picture(0))
    put(tmp_path / "images" / "b.png", picture(1))
    put(tmp_path / "masks" / "a.png", palette[labels(0, 3)])
    put(tmp_path / "masks" / "b.png", labels(1, 3), palette=palette.ravel().tolist())
    data = SegmentationFolder(tmp_path / "images", tmp_path / "masks", values=meaning)
    for n in range(2):
        assert np.array_equal(data.labels[n], np.array([0, 2, 1])[labels(n, 3)])
    with pytest.raises(ValueError, match=r"a\.png is in colour; name the class of each colour: values="):
        SegmentationFolder(tmp_path / "images", tmp_path / "masks")
    with pytest.raises(ValueError, match=r"a\.png holds the colour \(0, 0, 255\), which is not among values"):
        SegmentationFolder(tmp_path / "images", tmp_path / "masks", values={(0, 0, 0): 0, (255, 0, 0): 1})


def test_size_by_the_nearest_pixel_for_masks(cells):
    for n, name in enumerate("abc"):
        put(cells[1] / f"{name}.tif", labels(n, 5))
    data = SegmentationFolder(*cells, size=(12, 16))
    assert data.images.shape == (3, 12, 16, 3) and data.labels.shape == (3, 12, 16)
    assert np.array_equal(data.labels[0], labels(0, 5).repeat(2, axis=0).repeat(2, axis=1))
    assert np.array_equal(data.images[0], read_image(cells[0] / "a.png", size=(12, 16)))
    padded = SegmentationFolder(*cells, size=8, pad_to_aspect_ratio=True)
    assert np.array_equal(padded.labels[0, 1:7], labels(0, 5)) and not padded.labels[0, [0, 7]].any()
    assert np.array_equal(padded.images[0, 1:7], picture(0))
    cropped = SegmentationFolder(*cells, size=6, crop_to_aspect_ratio=True)
    assert np.array_equal(cropped.labels[0], labels(0, 5)[:, 1:7])
    assert np.array_equal(cropped.images[0], picture(0)[:, 1:7])


def test_a_large_jpeg_is_measured_before_it_shrinks(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(0, 320, 160)).save(tmp_path / "images" / "a.jpg")
    put(tmp_path / "masks" / "a.png", labels(0, 2, 320, 160))
    assert SegmentationFolder(tmp_path / "images", tmp_path / "masks", size=(20, 10)).labels.shape == (1, 20, 10)


def test_exif_orientation_turns_both(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "images" / "a.png", exif=exif)
    Image.fromarray(labels(0)).save(tmp_path / "masks" / "a.png", exif=exif)
    data = SegmentationFolder(tmp_path / "images", tmp_path / "masks")
    assert np.array_equal(data.labels[0], np.rot90(labels(0), -1))
    assert np.array_equal(data.images[0], np.rot90(picture(0), -1))


def test_pages_are_images_of_their_own(tmp_path):
    for folder, values in (
        ("images", [picture(n)[..., 0] for n in range(3)]),
        ("masks", [labels(n) for n in range(3)]),
    ):
        (tmp_path / folder).mkdir()
        first, *rest = (Image.fromarray(np.ascontiguousarray(page)) for page in values)
        first.save(tmp_path / folder / "stack.tif", save_all=True, append_images=rest)
    data = SegmentationFolder(tmp_path / "images", tmp_path / "masks", color_mode="grayscale")
    assert data.frames == [0, 1, 2] and len(set(data.file_paths)) == 1
    for n in range(3):
        assert np.array_equal(data.images[n, ..., 0], picture(n)[..., 0]) and np.array_equal(data.labels[n], labels(n))
    put(tmp_path / "masks" / "stack.tif", labels(0))
    with pytest.raises(ValueError, match=r"stack\.tif has 3 pages, its mask .*stack\.tif 1$"):
        SegmentationFolder(tmp_path / "images", tmp_path / "masks")


def test_dicom_images(tmp_path):
    (tmp_path / "images").mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm", download=False), tmp_path / "images" / "scan.dcm")
    put(tmp_path / "masks" / "scan.png", labels(0, 2, 128, 128))
    data = SegmentationFolder(tmp_path / "images", tmp_path / "masks", color_mode="grayscale", dtype="float32")
    expected = read_image(tmp_path / "images" / "scan.dcm", "grayscale", dtype="float32")
    assert np.array_equal(data.images[0], expected) and data.images.min() < 0  # Hounsfield units
    # A DICOM file can be the mask too.
    shutil.copy(tmp_path / "images" / "scan.dcm", tmp_path / "masks")
    (tmp_path / "masks" / "scan.png").unlink()
    with pytest.warns(UserWarning, match=r"1 of the files hold grey of more than 8 bits and no window"):
        data = SegmentationFolder(tmp_path / "images", tmp_path / "masks", values="nonzero")
    assert np.array_equal(data.labels[0], expected[..., 0] != 0)


def test_one_folder_with_a_suffix(tmp_path):
    for name in ("a", "b"):
        put(tmp_path / "x" / f"{name}.png", picture(0))
        put(tmp_path / "x" / f"{name}_mask.png", labels(0))
    data = SegmentationFolder(tmp_path, tmp_path, mask_suffix="_mask")
    assert [path.rsplit("/")[-1] for path in data.file_paths] == ["a.png", "b.png"]
    assert [path.rsplit("/")[-1] for path in data.mask_paths] == ["a_mask.png", "b_mask.png"]
    with pytest.raises(ValueError, match=r"are the same folder, .*; tell them apart by a mask_suffix"):
        SegmentationFolder(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (
            lambda i, m: (m / "b.tif").unlink(),
            FileNotFoundError,
            r"images/b\.png has no mask: there is no .*masks/b\.\*",
        ),
        (lambda i, m: put(m / "b.tif", labels(0, 2, 6, 9)), ValueError, r"masks/b\.tif is 6x9, its image .*b\.png 6x8"),
        (lambda i, m: (i / "b.png").write_bytes(b"no"), OSError, r"cannot read the image .*images/b\.png"),
        (lambda i, m: (m / "b.tif").write_bytes(b"no"), OSError, r"cannot read the image .*masks/b\.tif"),
        (
            lambda i, m: put(m / "b.tif", np.full((6, 8), 0.5, np.float32)),
            ValueError,
            r"b\.tif must hold whole numbers",
        ),
        (lambda i, m: put(m / "b.tif", np.full((6, 8), -3, np.int32)), ValueError, r"b\.tif holds -3, but .* from 0"),
        (lambda i, m: put(m / "d.png", labels(0)), ValueError, r"masks/d\.png: the mask has no image"),
    ],
)
def test_bad_pairs_are_named_and_can_be_skipped(cells, damage, error, message):
    damage(*cells)
    with pytest.raises(error, match=message):
        SegmentationFolder(*cells)
    data = SegmentationFolder(*cells, skip_bad=True)
    stray = len(data) == 3
    assert [path[-5:] for path in data.file_paths] == (["a.png", "b.png", "c.png"] if stray else ["a.png", "c.png"])
    assert len(data.skipped) == 1 and data.skipped[0][0].startswith(str(cells[1 if stray else 0].parent))
    assert np.array_equal(data.labels[-1] > 0, labels(2) > 0)


def test_classes_out_of_range(cells):
    put(cells[1] / "c.tif", labels(0, 4))
    with pytest.raises(ValueError, match=r"values lead to the class 3; classes are 0 \.\. 1, as many as class_names"):
        SegmentationFolder(*cells, class_names=["cell", "wall"], values={0: 0, 255: 1, 1: 1, 2: 1, 3: 3})
    put(cells[1] / "a.tif", labels(0, 2))
    put(cells[1] / "b.tif", labels(1, 2))
    with pytest.raises(ValueError, match=r"c\.tif holds 3, but there are 2 classes"):
        SegmentationFolder(*cells, class_names=["cell", "wall"])
    data = SegmentationFolder(*cells, class_names=["cell", "wall"], skip_bad=True)
    assert len(data) == 2 and data.class_names == ["cell", "wall"] and data.skipped[0][0].endswith("c.tif")


def test_nothing_to_read(tmp_path, cells):
    empty = tmp_path / "empty"
    empty.mkdir()
    for pair in ((empty, cells[1]), (cells[0], empty)):
        with pytest.raises(ValueError, match=rf"SegmentationFolder found no image in {empty} .*; it is empty"):
            SegmentationFolder(*pair)
    with pytest.raises(FileNotFoundError, match=r"SegmentationFolder: there is no folder .*nowhere"):
        SegmentationFolder(tmp_path / "nowhere", cells[1])
    for name in "abc":
        (cells[1] / f"{name}.tif").write_bytes(b"")
    with pytest.raises(OSError, match=r"none of 3 images could be used; the first: .*a\.tif"):
        SegmentationFolder(*cells, skip_bad=True)


def test_arguments_and_ambiguity(cells):
    put(cells[0] / "a.tif", picture(4))
    with pytest.raises(ValueError, match=r"two images for one mask: .*a\.png and .*a\.tif"):
        SegmentationFolder(*cells)
    (cells[0] / "a.tif").unlink()
    put(cells[1] / "a.png", labels(0))
    with pytest.raises(ValueError, match=r"two masks for one image: .*a\.png and .*a\.tif"):
        SegmentationFolder(*cells)
    (cells[1] / "a.png").unlink()
    put(cells[0] / "c.png", picture(0, 7, 8))
    put(cells[1] / "c.tif", labels(0, 2, 7, 8))
    with pytest.raises(ValueError, match=r"c\.png is 7x8, .*a\.png 6x8; pass size"):
        SegmentationFolder(*cells)
    for options, error, message in [
        ({"color_mode": "hsv"}, ValueError, "color_mode to be one of grayscale, rgb, rgba, got 'hsv'"),
        ({"dtype": "int8"}, ValueError, "dtype to be one of uint8, float32"),
        ({"values": "all"}, ValueError, '"nonzero", "threshold", or a dict .* got \'all\''),
        ({"values": {}}, ValueError, "got an empty one"),
        ({"values": {0: 0, (1, 2, 3): 1}}, TypeError, "got a dict with both kinds of keys"),
        ({"values": {0.5: 0}}, ValueError, "0.5 is not a whole number"),
        ({"values": {(1, 2, 300): 0}}, ValueError, r"\(1, 2, 300\) is not a colour"),
        ({"values": [0, 1]}, TypeError, "got list"),
        ({"values": {0: -1}}, ValueError, "lead to the class -1; classes are from 0 on, or ignore_class"),
        ({"class_names": []}, ValueError, "got an empty one"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, ValueError, "not both"),
    ]:
        with pytest.raises(error, match=message):
            SegmentationFolder(*cells, **options)


def test_a_network_trains_on_it(cells):
    data = SegmentationFolder(*cells, ignore_class=255, values={0: 0, 255: 1})
    model = st.Sequential([st.Input((6, 8, 3)), st.layers.Rescaling(1 / 255), st.layers.Conv2D(2, 1)], seed=0)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=data.ignore_class)
    model.compile("adam", loss)
    assert np.isfinite(model.fit(data, epochs=1, verbose=0).history["loss"][0])
