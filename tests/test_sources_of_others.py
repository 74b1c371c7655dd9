"""Data sets and loaders of other libraries, the real ones: the bits of the arrays with the same rows."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.data import cache, rows
from striate.layers import Dense, Flatten, Input

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
Y = RNG.integers(0, 4, 40)
TEST = slice(0, 12)


def fitted(*data: Any, **options: Any) -> Any:
    model = st.Sequential([Input((6, 5, 3)), Flatten(), Dense(4)], seed=0)
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(*data, verbose=0, **{"batch_size": 8, "epochs": 2, **options}).history
    return history, [weight.tobytes() for weight in model.get_weights()]


@pytest.fixture(scope="module")
def shuffled() -> Any:
    return fitted(X, Y, validation_data=(X[TEST], Y[TEST]))


@pytest.fixture(scope="module")
def in_order() -> Any:
    return fitted(X, Y, validation_data=(X[TEST], Y[TEST]), shuffle=False)


def test_pytorch(shuffled: Any, in_order: Any) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from torch.utils.data import DataLoader, Dataset, TensorDataset

    tensors = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))

    class Fetched(Dataset[Any]):
        """Has `__getitems__`, which fetches a whole batch."""

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, row: int) -> Any:
            raise AssertionError("rows are fetched together")

        def __getitems__(self, numbers: list[int]) -> Any:
            return [tensors[number] for number in numbers]

    some = torch.utils.data.Subset(tensors, range(12))
    for source in (rows(tensors), rows(tensors, workers=3), rows(Fetched())):
        assert fitted(source, validation_data=rows(some)) == shuffled
    for workers in (0, 2):
        loader = DataLoader(tensors, batch_size=8, num_workers=workers)
        assert fitted(loader, validation_data=DataLoader(some, batch_size=8)) == in_order
    with pytest.raises(TypeError, match="items of the TensorDataset are rows"):
        fitted(tensors)


def test_an_error_in_a_worker_of_pytorch_comes_out() -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    from torch.utils.data import DataLoader

    with pytest.raises(ZeroDivisionError):
        fitted(DataLoader([(X[0], 1), (X[1], 2)], collate_fn=lambda batch: 1 / 0, num_workers=1))


def test_h5py(tmp_path: Path, shuffled: Any) -> None:
    h5py = pytest.importorskip("h5py", reason="needs h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=X, chunks=(7, 6, 5, 3), compression="gzip")
        file.create_dataset("y", data=Y)
    with h5py.File(tmp_path / "a.h5") as file:
        source = rows((file["x"], file["y"]), workers=2)
        assert fitted(source, validation_data=(X[TEST], Y[TEST])) == shuffled
        assert np.array_equal(cache(source, tmp_path / "cache").images, X)


def test_zarr(tmp_path: Path, shuffled: Any) -> None:
    zarr = pytest.importorskip("zarr", reason="needs zarr")
    stored = [
        zarr.array(array, chunks=(9, *array.shape[1:]), store=tmp_path / name) for name, array in (("x", X), ("y", Y))
    ]
    assert fitted(rows(tuple(stored), workers=2), validation_data=(X[TEST], Y[TEST])) == shuffled


def test_hugging_face(shuffled: Any) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face's datasets")
    features = datasets.Features(
        {
            "image": datasets.Array3D((6, 5, 3), "uint8"),
            "label": datasets.Value("int64"),
            "name": datasets.Value("string"),
        }
    )
    columns = {"image": list(X), "label": Y, "name": ["a"] * 40}
    source = datasets.Dataset.from_dict(columns, features=features).with_format("numpy")
    given = rows(source, columns=("image", "label"))
    assert fitted(given, validation_data=(X[TEST], Y[TEST])) == shuffled
    with pytest.raises(TypeError, match=r"is a dict with the keys \['image', 'label', 'name'\]; name those"):
        fitted(rows(source))
    with pytest.raises(TypeError, match=r"the Dataset has no targets.*name the entries of rows that are dicts"):
        fitted(source)


def test_grain(shuffled: Any, in_order: Any) -> None:
    grain = pytest.importorskip("grain", reason="needs Grain")
    from grain import python as pygrain

    pairs = list(zip(X, Y, strict=True))

    class Source(pygrain.RandomAccessDataSource):
        def __len__(self) -> int:
            return len(pairs)

        def __getitem__(self, number: Any) -> Any:
            return pairs[number]

    assert fitted(rows(Source()), validation_data=(X[TEST], Y[TEST])) == shuffled
    batches = grain.MapDataset.source(Source()).batch(8).to_iter_dataset()
    assert fitted(batches, validation_data=(X[TEST], Y[TEST])) == in_order


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its files open
def test_webdataset(tmp_path: Path, in_order: Any) -> None:
    wds = pytest.importorskip("webdataset", reason="needs WebDataset")
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for number in range(40):
            buffer = io.BytesIO()
            np.save(buffer, X[number])
            for end, content in (("npy", buffer.getvalue()), ("cls", str(Y[number]).encode())):
                info = tarfile.TarInfo(f"{number:03}.{end}")
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))

    def batches() -> Any:
        data = wds.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False).decode().to_tuple("npy", "cls")
        return wds.WebLoader(data.batched(8), batch_size=None)

    assert fitted(batches(), validation_data=(X[TEST], Y[TEST])) == in_order


@pytest.mark.parametrize("workers", [1, 3])
def test_keras(in_order: Any, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="needs Keras")

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 5

        def __getitem__(self, number: int) -> Any:
            part = slice(8 * number, 8 * number + 8)
            return X[part], Y[part]

    source = Batches(workers=workers)
    assert fitted(source, validation_data=(X[TEST], Y[TEST]), shuffle=False) == in_order


def test_tensorflow(in_order: Any) -> None:
    tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).prefetch(2)
    test = tf.data.Dataset.from_tensor_slices((X[TEST], Y[TEST])).batch(8)
    assert fitted(data, validation_data=test) == in_order
    endless = data.repeat()
    assert fitted(endless, validation_data=test, steps_per_epoch=5) == in_order
