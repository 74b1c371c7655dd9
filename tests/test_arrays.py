"""Arrays of other libraries: taken in place, whenever their memory is laid out as the core wants it."""

from __future__ import annotations

import array
import tracemalloc

import numpy as np
import pytest

import striate as st
from striate._arrays import array_of, inputs_for, is_input, numbers
from striate.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input, Normalization

SHAPE = (6, 5, 2)


class Exchanged:
    """No more than the array API asks for: DLPack."""

    def __init__(self, values):
        self._values = values

    def __dlpack__(self, **arguments):
        return self._values.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


class OnGpu:
    dtype, device = "float32", "cuda:0"

    def __dlpack__(self, **arguments):
        raise BufferError("cannot export from cuda:0")

    def __dlpack_device__(self):
        return (2, 0)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("use x.cpu() first")


def pictures(count=7, dtype=np.float32):
    values = np.random.default_rng(3).integers(0, 255, (count, *SHAPE))
    return values.astype(dtype)


def network(units=3, **arguments):
    layers = [Input(SHAPE), Conv2D(4, 3, activation="relu"), Flatten(), Dense(units)]
    model = st.Sequential(layers, seed=5)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(st.optimizers.SGD(1e-4), loss, metrics=["accuracy"], **arguments)
    return model


def read_only(values):
    view = values.view()
    view.flags.writeable = False
    return view


def as_torch(values):
    return pytest.importorskip("torch").from_numpy(values)


SHARED = {
    "numpy": lambda x: x,
    "read-only": read_only,
    "dlpack": Exchanged,
    "dlpack, read-only": lambda x: Exchanged(read_only(x)),
    "memoryview": memoryview,
    "torch": as_torch,
}


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("kind", SHARED)
def test_what_is_in_order_is_used_in_place(kind, dtype):
    x = pictures(dtype=dtype)
    (taken,) = inputs_for(SHARED[kind](x), [SHAPE], ["input"])
    assert taken.dtype == dtype and np.shares_memory(taken, x)
    assert taken.__array_interface__["data"][0] == x.__array_interface__["data"][0]
    np.testing.assert_array_equal(network().predict(SHARED[kind](x)), network().predict(x))


@pytest.mark.parametrize("kind", SHARED)
def test_training_takes_every_kind(kind):
    x, y, weights = pictures(), np.arange(7) % 3, np.linspace(0.5, 2, 7, dtype=np.float32)
    make = SHARED[kind]
    expected, model = network(), network()
    values = expected.fit(x, y, batch_size=3, epochs=2, verbose=0, sample_weight=weights, validation_data=(x, y))
    history = model.fit(
        make(x),
        make(y),
        batch_size=3,
        epochs=2,
        verbose=0,
        sample_weight=make(weights),
        validation_data=(make(x), make(y)),
    )
    assert history.history == values.history
    assert model.evaluate(make(x), make(y), verbose=0) == expected.evaluate(x, y, verbose=0)
    assert model.train_on_batch(make(x), make(y)) == expected.train_on_batch(x, y)
    for got, wanted in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_labels_in_an_array_of_the_standard_library():
    x, labels = pictures(), [0, 1, 2, 2, 1, 0, 1]
    y = array.array("q", labels)
    assert np.shares_memory(array_of(y, "y"), np.frombuffer(y, np.int64))
    assert network().fit(x, y, verbose=0).history == network().fit(x, np.array(labels), verbose=0).history
    model = st.Sequential([Input((1,)), Dense(1)], seed=1)
    np.testing.assert_array_equal(model.predict(array.array("f", [1, 2])), model.predict(np.float32([[1], [2]])))


def test_no_copy_is_made_on_the_whole_way_in():
    x = np.zeros((64, 128, 128, 4), np.float32)  # 16 MB
    model = st.Sequential([Input((128, 128, 4)), GlobalAveragePooling2D(), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    y = np.zeros((64, 1), np.float32)
    for given in (x, read_only(x), Exchanged(x), memoryview(x)):
        model.predict(given)
        tracemalloc.start()
        model.predict(given)
        model.fit(given, y, verbose=0)
        model.evaluate(given, y, verbose=0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < x.nbytes / 8, type(given)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], id="every second"),
        pytest.param(lambda x: np.asfortranarray(x), id="columns first"),
        pytest.param(lambda x: x[:, ::-1][:, ::-1].copy()[::-1], id="backwards"),
        pytest.param(lambda x: np.ascontiguousarray(np.moveaxis(x, -1, 1)).transpose(0, 2, 3, 1), id="channels moved"),
        pytest.param(lambda x: x.astype(">f4"), id="other byte order"),
        pytest.param(lambda x: x.astype(np.float64), id="float64"),
        pytest.param(lambda x: x.astype(np.float16), id="float16"),
        pytest.param(lambda x: x.astype(np.int16), id="int16"),
    ],
)
@pytest.mark.parametrize("make", [lambda x: x, Exchanged], ids=["numpy", "dlpack"])
def test_another_layout_is_converted(change, make):
    x = change(pictures())
    plain = np.ascontiguousarray(x, np.float32)
    if x.dtype.byteorder == ">" and make is Exchanged:
        with pytest.raises(TypeError, match=r"predict: x is a test_arrays\.Exchanged that cannot be read in place"):
            network().predict(make(x))
        return
    np.testing.assert_array_equal(network().predict(make(x)), network().predict(plain))
    before = x.copy()
    network().fit(make(x), np.arange(7) % 3, verbose=0)
    np.testing.assert_array_equal(x, before)


def test_torch_channels_last_is_used_in_place():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(7 * 60, dtype=torch.float32).reshape(7, 2, 6, 5).to(memory_format=torch.channels_last)
    (taken,) = inputs_for(tensor.permute(0, 2, 3, 1), [SHAPE], ["input"])
    assert taken.__array_interface__["data"][0] == tensor.data_ptr()


def test_torch_takes_results_in_place():
    torch = pytest.importorskip("torch")
    x = pictures()
    result = network().predict(torch.from_numpy(x))
    tensor = torch.from_dlpack(result)
    assert tensor.data_ptr() == result.__array_interface__["data"][0]
    assert memoryview(result).contiguous and memoryview(result).format == "f"


def test_weights_from_torch():
    torch = pytest.importorskip("torch")
    model, other = network(), network()
    other.set_weights([torch.from_numpy(weight) * 2 for weight in model.get_weights()])
    model.load_state_dict({name: torch.from_numpy(value) * 2 for name, value in model.state_dict().items()})
    for got, wanted in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    with pytest.raises(TypeError, match=r"set_weights: conv2d/kernel is a torch\.Tensor.*requires? grad"):
        model.set_weights([torch.ones(3, 3, 2, 4, requires_grad=True), *model.get_weights()[1:]])


def test_what_cannot_be_read_says_how_to_fix_it():
    torch = pytest.importorskip("torch")
    model = network()
    with pytest.raises(TypeError, match=r"x is a torch\.Tensor, dtype torch\.float32.*detach\(\).*without gradient"):
        model.predict(torch.ones(2, *SHAPE, requires_grad=True))
    with pytest.raises(TypeError, match=r"dtype torch\.bfloat16.*as float32 or uint8"):
        model.predict(torch.ones(2, *SHAPE, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"sparse|Sparse"):
        model.predict(torch.ones(2, *SHAPE).to_sparse())
    with pytest.raises(TypeError, match=r"y is a torch\.Tensor"):
        model.fit(pictures(), torch.ones(7, requires_grad=True), verbose=0)


def test_arrays_on_a_gpu_are_no_surprise():
    with pytest.raises(
        TypeError, match=r"predict: x is a test_arrays\.OnGpu, dtype float32, device cuda:0.*x\.cpu\(\)"
    ):
        network().predict(OnGpu())


def test_a_list_of_one_array_is_that_array():
    x = pictures()
    for make in (Exchanged, memoryview):
        (taken,) = inputs_for([make(x)], [SHAPE], ["input"])
        assert np.shares_memory(taken, x)


def test_metrics_losses_and_normalization_take_them_too():
    true, score = np.array([0, 1, 1, 0]), np.float32([0.2, 0.8, 0.4, 0.6])
    for metric in (st.metrics.Accuracy, st.metrics.Precision, st.metrics.F1Score, st.metrics.AUC):
        assert metric()(Exchanged(true), Exchanged(score)) == metric()(true, score)
    loss = st.losses.BinaryCrossentropy()
    assert loss(Exchanged(true[:, None]), Exchanged(score[:, None])) == loss(true[:, None], score[:, None])
    layer, other = Normalization(), Normalization()
    layer.adapt(Exchanged(pictures()))
    other.adapt(pictures())
    assert layer.get_config()["mean"] == other.get_config()["mean"]


def test_augmentation_in_torch():
    torch = pytest.importorskip("torch")
    x, y = pictures(), np.arange(7) % 3
    flipped = network().fit(x, y, verbose=0, augment=lambda a, *_: torch.from_numpy(a).flip(2))
    assert flipped.history == network().fit(x, y, verbose=0, augment=lambda a, *_: a[:, :, ::-1]).history


def test_the_quick_look_agrees_with_the_long_one():
    x = pictures()
    assert is_input(x, [SHAPE]) and inputs_for(x, [SHAPE], ["input"])[0] is x
    for other in (x.astype(np.float64), x[::2], x[..., 0], Exchanged(x), memoryview(x), read_only(x)):
        assert not is_input(other, [SHAPE])


def test_what_is_no_array():
    with pytest.raises(TypeError, match="x must hold real numbers, got dtype object"):
        numbers(object(), "x")
    with pytest.raises(TypeError, match="x must hold real numbers, got dtype <U1"):
        numbers(["a"], "x")
    with pytest.raises(ValueError, match="the single number 3"):
        numbers(3, "x")


@pytest.mark.parametrize("order", ["<", ">"])
def test_integers_beyond_the_cores(order: str) -> None:
    values = np.array([[2**63], [2**64 - 1], [5]], f"{order}u8")
    same = st.Sequential([Input((1,)), st.layers.Rescaling(1.0)])
    assert np.array_equal(same.predict(values), values.astype(np.float32))
    same.compile("sgd", "mae")
    right = float(values.astype(np.float64).mean())
    assert same.evaluate(np.zeros((3, 1)), values, verbose=0) == pytest.approx(right, rel=1e-6)
    weighted = same.evaluate(np.zeros((2, 1)), np.ones(2), sample_weight=np.array([2**63, 0], "u8"), verbose=0)
    assert weighted == pytest.approx(2.0**62, rel=1e-6)


def test_labels_beyond_the_cores_integers() -> None:
    model = st.Sequential([Input((2,)), Dense(3)], seed=0)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1))
    with pytest.raises(ValueError, match="labels below 2\\*\\*63, got 18446744073709551615"):
        model.evaluate(np.zeros((2, 2)), np.array([2**64 - 1, 1], "u8"), verbose=0)
    with pytest.raises(ValueError, match="label 18446744073709551615"):
        st.metrics.Accuracy().update_state(np.array([2**64 - 1, 1], "u8"), np.eye(2))


def test_masked_values_are_refused() -> None:
    """The core would train on what is below the mask."""
    x = np.ma.masked_less(np.arange(12, dtype=np.float32).reshape(4, 3), 2)
    model = st.Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    targets = np.zeros((4, 2), np.float32)
    for call in (
        lambda: model.predict(x),
        lambda: model.fit(x, targets, verbose=0),
        lambda: model.fit(x.data, np.ma.masked_equal(targets, 0), verbose=0),
        lambda: st.metrics.MeanSquaredError()(targets, np.ma.masked_equal(targets, 0)),
    ):
        with pytest.raises(TypeError, match=r"is a masked array with \d+ masked values, which cannot be left out"):
            call()
    nothing = np.ma.masked_less(x.data, -1)
    np.testing.assert_array_equal(model.predict(nothing), model.predict(x.data))
