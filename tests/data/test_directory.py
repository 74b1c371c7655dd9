import shutil

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from striate.data import ImageDataset, image_dataset_from_directory, read_image
from striate.data import _decode as decode_module


def put(path, value, size=(6, 8), mode="RGB"):
    """A flat picture: `value` in every channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value if mode == "L" else (value,) * len(mode)).save(path)


@pytest.fixture
def pets(tmp_path):
    """Three classes of 5, 10 and 15 pictures; the value of a picture tells its class and number."""
    for number, (name, count) in enumerate([("ant", 5), ("bee", 10), ("cat", 15)]):
        for n in range(count):
            put(tmp_path / "pets" / name / f"{n:02}.png", 64 * number + n)
    return tmp_path / "pets"


def values(dataset):
    return dataset.images[:, 0, 0, 0].tolist()


def test_classes_are_folders_sorted_by_name(pets):
    dataset = image_dataset_from_directory(pets, image_size=(6, 8), shuffle=False)
    assert isinstance(dataset, ImageDataset)
    assert dataset.class_names == ["ant", "bee", "cat"]
    assert dataset.images.shape == (30, 6, 8, 3) and dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int64 and np.bincount(dataset.labels).tolist() == [5, 10, 15]
    assert values(dataset) == [64 * number + n for number, count in enumerate((5, 10, 15)) for n in range(count)]
    assert dataset.file_paths[0] == str(pets / "ant" / "00.png") and dataset.file_paths[-1].endswith("14.png")
    assert dataset.skipped == []


def test_it_has_names(pets):
    dataset = image_dataset_from_directory(pets, image_size=4)
    assert dataset.images is dataset.x and dataset.labels is dataset.y
    assert len(dataset) == 30
    assert repr(dataset) == "ImageDataset(uint8 (30, 4, 4, 3), 3 classes)"
    with pytest.raises(ValueError, match="as many labels and file paths as images, got 2 images, 3 labels and 2 file"):
        ImageDataset(np.zeros((2, 1, 1, 1)), np.zeros(3), ["a"], ["f", "g"])


def test_shuffle_moves_images_labels_and_paths_together(pets):
    sorted_ = image_dataset_from_directory(pets, image_size=(6, 8), shuffle=False)
    first = image_dataset_from_directory(pets, image_size=(6, 8), seed=3)
    again = image_dataset_from_directory(pets, image_size=(6, 8), seed=3)
    other = image_dataset_from_directory(pets, image_size=(6, 8), seed=4)
    assert first.file_paths == again.file_paths and np.array_equal(first.images, again.images)
    assert first.file_paths != other.file_paths and first.file_paths != sorted_.file_paths
    assert sorted(first.file_paths) == sorted_.file_paths
    for value, label, path in zip(values(first), first.labels, first.file_paths, strict=True):
        assert value // 64 == label and path == str(pets / ("ant", "bee", "cat")[label] / f"{value % 64:02}.png")


def test_without_a_seed_the_order_changes(pets):
    orders = {tuple(image_dataset_from_directory(pets, image_size=1).file_paths) for _ in range(4)}
    assert len(orders) > 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_validation_split_takes_its_share_of_every_class(pets, shuffle):
    options = {"image_size": (6, 8), "validation_split": 0.2, "seed": 1, "shuffle": shuffle}
    training = image_dataset_from_directory(pets, subset="training", **options)
    validation = image_dataset_from_directory(pets, subset="validation", **options)
    assert np.bincount(validation.labels).tolist() == [1, 2, 3]
    assert np.bincount(training.labels).tolist() == [4, 8, 12]
    assert not set(training.file_paths) & set(validation.file_paths)
    both = image_dataset_from_directory(pets, subset="both", **options)
    assert [part.file_paths for part in both] == [training.file_paths, validation.file_paths]
    assert np.array_equal(both[1].images, validation.images)
    if not shuffle:
        assert values(validation) == [4, 64 + 8, 64 + 9, 128 + 12, 128 + 13, 128 + 14]


def test_both_subsets_need_no_seed(pets):
    training, validation = image_dataset_from_directory(pets, image_size=1, validation_split=0.5, subset="both")
    assert len(training) == len(validation) == 15
    assert len(set(training.file_paths) | set(validation.file_paths)) == 30


def test_label_modes(pets):
    options = {"image_size": 1, "shuffle": False}
    one_hot = image_dataset_from_directory(pets, label_mode="categorical", **options)
    assert one_hot.labels.shape == (30, 3) and one_hot.labels.dtype == np.float32
    assert one_hot.labels.argmax(1).tolist() == [0] * 5 + [1] * 10 + [2] * 15
    binary = image_dataset_from_directory(pets, label_mode="binary", class_names=["cat", "ant"], **options)
    assert binary.labels.shape == (20, 1) and binary.labels.dtype == np.float32
    assert binary.labels[:, 0].tolist() == [0] * 15 + [1] * 5
    assert binary.class_names == ["cat", "ant"]
    for nothing in ({"label_mode": None}, {"labels": None}):
        dataset = image_dataset_from_directory(pets, **nothing, **options)
        assert dataset.labels is None and dataset.class_names == [] and len(dataset) == 30
        assert repr(dataset) == "ImageDataset(uint8 (30, 1, 1, 3), no labels)"


def test_labels_by_hand(pets):
    numbers = [n % 4 for n in range(30)]
    dataset = image_dataset_from_directory(pets, labels=numbers, image_size=1, shuffle=False)
    assert dataset.labels.tolist() == numbers and dataset.class_names == ["0", "1", "2", "3"]
    shuffled = image_dataset_from_directory(pets, labels=np.array(numbers), image_size=1, seed=0)
    by_path = dict(zip(dataset.file_paths, numbers, strict=True))
    assert shuffled.labels.tolist() == [by_path[path] for path in shuffled.file_paths]


@pytest.mark.parametrize(("mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
def test_color_modes(pets, mode, channels):
    dataset = image_dataset_from_directory(pets, color_mode=mode, image_size=(3, 5), shuffle=False)
    assert dataset.images.shape == (30, 3, 5, channels)
    for row in (0, 29):
        expected = read_image(dataset.file_paths[row], color_mode=mode, size=(3, 5))
        assert np.array_equal(dataset.images[row], expected)


def test_arguments_reach_the_reader(tmp_path):
    gradient = np.arange(80, dtype=np.uint8).reshape(8, 10)
    (tmp_path / "a").mkdir()
    Image.fromarray(gradient).save(tmp_path / "a" / "1.png")
    for options in (
        {"interpolation": "nearest"},
        {"interpolation": "bicubic", "crop_to_aspect_ratio": True},
        {"pad_to_aspect_ratio": True},
        {"window": (40, 20)},
        {"window": "minmax", "dtype": "float32"},
    ):
        dataset = image_dataset_from_directory(tmp_path, color_mode="grayscale", image_size=(4, 4), **options)
        expected = read_image(tmp_path / "a" / "1.png", "grayscale", (4, 4), **options)
        assert dataset.images.dtype == expected.dtype and np.array_equal(dataset.images[0], expected)


def test_every_format(tmp_path):
    for end in ("png", "PNG", "jpg", "jpeg", "bmp", "gif", "tif", "tiff"):
        put(tmp_path / "one" / f"a.{end}", 100, mode="L")
    for end in ("dcm", "dicom", "DCM"):
        shutil.copy(get_testdata_file("CT_small.dcm", download=False), tmp_path / "one" / f"b.{end}")
    (tmp_path / "one" / "notes.txt").write_text("not an image")
    (tmp_path / "one" / ".hidden.png").write_text("not an image")
    (tmp_path / ".cache").mkdir()
    dataset = image_dataset_from_directory(tmp_path, color_mode="grayscale", image_size=128, window=(40, 400))
    assert len(dataset) == 11 and dataset.class_names == ["one"]
    slices = [image for image, path in zip(dataset.images, dataset.file_paths, strict=True) if "b." in path]
    assert len(slices) == 3 and all(np.array_equal(image, slices[0]) for image in slices)


def test_folders_inside_a_class_belong_to_it(tmp_path):
    put(tmp_path / "a" / "1.png", 1)
    put(tmp_path / "a" / "deeper" / "still" / "2.png", 2)
    put(tmp_path / "a" / ".hidden" / "3.png", 3)
    put(tmp_path / "b" / "4.png", 4)
    dataset = image_dataset_from_directory(tmp_path, image_size=1, shuffle=False)
    assert values(dataset) == [1, 2, 4] and dataset.labels.tolist() == [0, 0, 1]


def test_links(tmp_path):
    put(tmp_path / "elsewhere" / "1.png", 1)
    put(tmp_path / "all" / "a" / "2.png", 2)
    (tmp_path / "all" / "a" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "all" / "a" / "loop").symlink_to(tmp_path / "all" / "a", target_is_directory=True)
    with pytest.warns(UserWarning, match=r"2 files are not read .*all.a.link: a link to a folder; follow_links=True"):
        data = image_dataset_from_directory(tmp_path / "all", image_size=1)
    assert values(data) == [2]
    assert [file.rsplit("/")[-1] for file, _ in data.unused] == ["link", "loop"]
    with pytest.warns(UserWarning, match="the link leads to a folder that is read already"):
        followed = image_dataset_from_directory(tmp_path / "all", image_size=1, follow_links=True)
    assert sorted(values(followed)) == [1, 2]


def test_image_size_none_keeps_the_size(tmp_path):
    put(tmp_path / "a" / "1.png", 1, (6, 8))
    put(tmp_path / "a" / "2.png", 2, (6, 8))
    assert image_dataset_from_directory(tmp_path, image_size=None).images.shape == (2, 6, 8, 3)
    put(tmp_path / "a" / "3.png", 3, (6, 9))
    with pytest.raises(
        ValueError, match=r"3\.png is 6x9, .*1\.png 6x8; pass image_size to bring all images to one size"
    ):
        image_dataset_from_directory(tmp_path, image_size=None, shuffle=False)


@pytest.mark.parametrize("size", [(6, 8), None])
def test_a_bad_file_is_named_or_skipped(pets, size):
    bad = [pets / "bee" / "03.png", pets / "cat" / "00.png"]
    for path in bad:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(OSError, match=r"^cannot read the image .*bee.03\.png: "):
        image_dataset_from_directory(pets, image_size=size, shuffle=False)
    dataset = image_dataset_from_directory(pets, image_size=size, shuffle=False, skip_bad=True)
    assert [path for path, _ in dataset.skipped] == [str(path) for path in bad]
    assert all(reason.startswith("cannot read the image") for _, reason in dataset.skipped)
    assert len(dataset) == 28 and dataset.images.shape == (28, 6, 8, 3)
    assert [value // 64 for value in values(dataset)] == dataset.labels.tolist()
    assert 64 + 3 not in values(dataset) and 128 not in values(dataset)
    assert repr(dataset) == "ImageDataset(uint8 (28, 6, 8, 3), 3 classes, 2 skipped)"


def test_nothing_but_bad_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"")
    with pytest.raises(OSError, match=r"^none of 1 images could be read; the first: .*1\.png"):
        image_dataset_from_directory(tmp_path, skip_bad=True)


def test_the_first_bad_file_ends_the_reading(pets, monkeypatch):
    read = []

    def fail(path, *_):
        read.append(path)
        raise OSError(f"bad {path}")

    monkeypatch.setattr(decode_module, "decode", fail)
    with pytest.raises(OSError, match=r"^bad .*ant.00\.png$"):
        image_dataset_from_directory(pets, shuffle=False)


def test_any_number_of_threads_gives_the_same(pets, monkeypatch):
    results = []
    for threads in (1, 7):
        monkeypatch.setattr(decode_module, "cpus", lambda threads=threads: threads)
        results.append(image_dataset_from_directory(pets, image_size=5, seed=0))
    assert np.array_equal(results[0].images, results[1].images)
    assert results[0].file_paths == results[1].file_paths


def test_too_large_for_memory(pets):
    with pytest.raises(MemoryError, match=r"30 images of \(1000000, 1000000, 3\) take .* GiB; choose a smaller image_"):
        image_dataset_from_directory(pets, image_size=10**6)


def test_quiet_unless_asked(pets, capfd):
    image_dataset_from_directory(pets, image_size=1)
    assert capfd.readouterr() == ("", "")
    image_dataset_from_directory(pets, image_size=1, verbose=True)
    image_dataset_from_directory(pets, labels=None, image_size=1, verbose=True)
    assert capfd.readouterr().out == "Found 30 files belonging to 3 classes.\nFound 30 files.\n"


def test_keras_positional_arguments(pets):
    dataset = image_dataset_from_directory(
        pets, "inferred", "int", ["bee", "ant"], "grayscale", 16, (4, 4), False, 0, 0.4, "validation", "nearest"
    )
    assert dataset.images.shape == (6, 4, 4, 1) and dataset.labels.tolist() == [0] * 4 + [1] * 2


def test_empty_and_missing_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^image_dataset_from_directory: there is no folder .*nowhere"):
        image_dataset_from_directory(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no folders, and labels='inferred' takes each folder as a class"):
        image_dataset_from_directory(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"found no image in .*empty \(\.bmp, .*\); it is empty$"):
        image_dataset_from_directory(tmp_path / "empty", labels=None)
    put(tmp_path / "flat" / "1.png", 1)
    with pytest.raises(ValueError, match=r"flat has no folders, .* or pass labels=None or a list of labels"):
        image_dataset_from_directory(tmp_path / "flat")
    assert len(image_dataset_from_directory(tmp_path / "flat", labels=None, image_size=1)) == 1
    with pytest.raises(NotADirectoryError, match=r"expects a folder, got the file .*1\.png"):
        image_dataset_from_directory(tmp_path / "flat" / "1.png")
    (tmp_path / "other" / "a").mkdir(parents=True)
    (tmp_path / "other" / "a" / "1.heic").write_bytes(b"")
    with pytest.raises(ValueError, match=r"found no image in .*other .*; it holds '\.heic' files$"):
        image_dataset_from_directory(tmp_path / "other")


def test_a_class_without_images(pets):
    (pets / "dog").mkdir()
    with pytest.raises(
        ValueError, match=r"the folder 'dog' of .*pets holds no image .*; leave it out with class_names"
    ):
        image_dataset_from_directory(pets)
    assert len(image_dataset_from_directory(pets, class_names=["ant", "bee"], image_size=1)) == 15


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"class_names": ["ant", "dog", "eel"]},
            ValueError,
            "has no folder for 'dog', 'eel' of class_names; it has 'ant'",
        ),
        ({"class_names": ["ant", "ant"]}, ValueError, "expects class_names to be a list of different names, got"),
        ({"class_names": "ant"}, ValueError, "expects class_names to be a list of different names, got 'ant'"),
        ({"class_names": []}, ValueError, r"expects class_names to be a list of different names, got \[\]"),
        ({"class_names": ["ant"], "labels": None}, ValueError, "takes class_names only with labels='inferred'"),
        ({"labels": "guess"}, ValueError, "expects labels to be one of inferred, got 'guess'"),
        ({"labels": [0, 1]}, ValueError, "got 2 labels for the 30 images of"),
        ({"labels": [-1] * 30}, ValueError, "labels that number the classes, 0 .. 1048575, got -1"),
        ({"labels": [0.5] * 30}, TypeError, "expects labels to be 'inferred', a list of integers or None"),
        ({"labels": 3}, TypeError, "expects labels to be 'inferred', a list of integers or None"),
        (
            {"label_mode": "onehot"},
            ValueError,
            "expects label_mode to be one of int, categorical, binary, None, got 'oneh",
        ),
        ({"label_mode": "binary"}, ValueError, "label_mode='binary' is for two classes, and there are 3"),
        ({"color_mode": "gray"}, ValueError, "expects color_mode to be one of grayscale, rgb, rgba, got 'gray'"),
        ({"color_mode": None}, ValueError, "expects color_mode to be one of grayscale, rgb, rgba, got None"),
        ({"image_size": (0, 4)}, ValueError, r"expects a size of at least 1 pixel each way, got \(0, 4\)"),
        ({"interpolation": "cubic"}, ValueError, "expects interpolation to be one of nearest, bilinear"),
        (
            {"validation_split": 0.2},
            ValueError,
            "validation_split and subset together, got validation_split=0.2 and subs",
        ),
        ({"subset": "training"}, ValueError, "together, got validation_split=None and subset='training'"),
        ({"validation_split": 1.0, "subset": "both"}, ValueError, "expects validation_split between 0 and 1, got 1.0"),
        (
            {"validation_split": 0.1, "subset": "test"},
            ValueError,
            "expects subset to be one of training, validation, both",
        ),
        ({"validation_split": 0.1, "subset": "training"}, ValueError, "needs a seed to split shuffled images"),
        ({"seed": -1}, ValueError, "seed must be in 0"),
        ({"dtype": "int8"}, ValueError, "expects dtype to be one of uint8, float32, got 'int8'"),
        ({"window": (1, -1)}, ValueError, "the width must be above 0"),
        (
            {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
            ValueError,
            "can crop to the aspect ratio or pad to",
        ),
    ],
)
def test_wrong_arguments(pets, options, error, message):
    with pytest.raises(error, match=message) as caught:
        image_dataset_from_directory(pets, **options)
    assert "image_dataset_from_directory" in str(caught.value)


def test_pillow_is_asked_for_at_once(pets, monkeypatch):
    import striate.data.directory as module

    def absent(name, extra, what):
        raise ImportError(f"{what} needs {name} of {extra}")

    monkeypatch.setattr(module, "require", absent)
    with pytest.raises(ImportError, match=r"^striate\.data\.image_dataset_from_directory needs PIL\.Image of data$"):
        image_dataset_from_directory(pets)
