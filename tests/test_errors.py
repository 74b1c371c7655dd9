"""Wrong calls: each is an error that names who complains, what was expected, what came and, where one is likely, the
fix."""

# ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers, losses, metrics, optimizers
from striate.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Reshape
from striate.optimizers import schedules

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 8, 8, 1)).astype(np.float32)
LABELS = rng.integers(0, 3, 10)


def sequential(*stack: Any, shape: tuple[int, ...] = (8, 8, 1)) -> st.Sequential:
    return st.Sequential([Input(shape), *stack], seed=0)


def classifier(loss: Any = None, **more: Any) -> st.Sequential:
    model = sequential(Conv2D(2, 3), Flatten(), Dense(3))
    model.compile("sgd", loss or losses.SparseCategoricalCrossentropy(from_logits=True), **more)
    return model


def regressor(units: int = 1, **more: Any) -> st.Sequential:
    model = sequential(Dense(units), shape=(4,))
    model.compile("sgd", "mse", **more)
    return model


def fit(model: st.Model, x: Any, y: Any = None, **more: Any) -> Any:
    return model.fit(x, y, verbose=0, **more)


Z = rng.normal(size=(10, 4)).astype(np.float32)
VALUE, TYPE = ValueError, TypeError

WRONG: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    # Shapes of networks
    (
        "image to a network that begins flat",
        lambda: sequential(Conv2D(2, 3), shape=(784,)),
        VALUE,
        "[conv2d] expects 4-D input (N, H, W, C), got (N, 784); add Reshape((28, 28, 1)) before it",
    ),
    (
        "the name counts",
        lambda: sequential(Conv2D(2, 3), Conv2D(2, 3), Flatten(), Conv2D(2, 3)),
        VALUE,
        "[conv2d_2] expects 4-D input (N, H, W, C), got (N, 32)",
    ),
    (
        "pooling without channels",
        lambda: sequential(MaxPooling2D(2), shape=(8, 8)),
        VALUE,
        "[max_pooling2d] expects 4-D input (N, H, W, C), got (N, 8, 8); add Reshape((8, 8, 1)) before it",
    ),
    ("kernel larger than image", lambda: sequential(Conv2D(2, 9, name="big")), VALUE, "[big] kernel_size (9, 9) is larger than the map (N, 8, 8, 1); use a smaller"),
    ("dilated kernel larger", lambda: sequential(Conv2D(2, 3, dilation_rate=4)), VALUE, "[conv2d] kernel_size (3, 3) with dilation_rate (4, 4)"),
    ("window larger than image", lambda: sequential(MaxPooling2D(9)), VALUE, "[max_pooling2d] pool_size (9, 9) is larger than the map"),
    ("groups that do not divide", lambda: sequential(Conv2D(4, 3, groups=3), shape=(8, 8, 6)), VALUE, "filters must be a multiple of groups, got 4 filters and 3 groups"),
    ("reshape to another size", lambda: sequential(Reshape((7, 9))), VALUE, "[reshape] cannot turn (N, 8, 8, 1), 64 elements"),
    ("two unknowns", lambda: sequential(Reshape((-1, -1))), VALUE, "[reshape] target_shape may have one -1"),
    ("crop everything", lambda: sequential(layers.Cropping2D(4)), VALUE, "(4, 4, 4, 4) leaves nothing of the map"),
    ("groups of channels", lambda: sequential(layers.GroupNormalization(3), shape=(8, 8, 4)), VALUE, "3 groups do not divide the 4 channels"),
    ("normalise an axis", lambda: sequential(layers.BatchNormalization(axis=1)), VALUE, "the channels' axis is the last, -1 or here 3, got axis 1"),
    ("add unequal", lambda: layers.Add()([Input((3,)), Input((4,))]), VALUE, "got (N, 3) and (N, 4)"),
    ("add one", lambda: layers.Add()([Input((3,))]), VALUE, "[add] expects at least two inputs, got 1"),
    ("subtract three", lambda: layers.Subtract()([Input((3,))] * 3), VALUE, "[subtract] expects two inputs, got 3"),
    ("concatenate", lambda: layers.Concatenate()([Input((2, 2, 1)), Input((3, 2, 1))]), VALUE, "[concatenate] inputs must have the same shape except along axis -1"),
    ("statistics missing", lambda: sequential(layers.Normalization()), VALUE, "call adapt(data)"),
    # Arguments of layers
    ("filters zero", lambda: Conv2D(0, 3), VALUE, "[conv2d] filters"),
    ("negative filters", lambda: Conv2D(-4, 3, name="c"), VALUE, "[c] filters"),
    ("kernel zero", lambda: Conv2D(4, 0), VALUE, "[conv2d] kernel_size"),
    ("three kernel sizes", lambda: Conv2D(4, (3, 3, 3)), VALUE, "[conv2d] kernel_size must be an integer or two integers"),  # type: ignore[arg-type]
    ("stride zero", lambda: Conv2D(4, 3, strides=0), VALUE, "[conv2d] strides"),
    ("unknown padding", lambda: Conv2D(4, 3, padding="reflect"), VALUE, "[conv2d] padding"),
    ("channels first", lambda: Conv2D(4, 3, data_format="channels_first"), VALUE, "np.moveaxis(x, 1, -1)"),
    ("filters a string", lambda: Conv2D("4", 3), TYPE, "[conv2d] filters must be an integer, got string '4'"),  # type: ignore[arg-type]
    ("filters a float", lambda: Conv2D(4.5, 3), TYPE, "[conv2d] filters must be an integer, got number 4.5"),  # type: ignore[arg-type]
    ("units none", lambda: Dense(None), TYPE, "[dense] units must be an integer, got none"),  # type: ignore[arg-type]
    ("units an object", lambda: Dense(object()), TYPE, "[dense] units"),  # type: ignore[arg-type]
    ("use_bias a number", lambda: Dense(3, use_bias=2), TYPE, "[dense] use_bias must be a boolean"),  # type: ignore[arg-type]
    ("units beyond 64 bits", lambda: Dense(2**63), VALUE, "[dense] units is too large: 9223372036854775808"),
    ("sizes that overflow", lambda: sequential(Flatten(), shape=(2**31, 2**31, 4)), VALUE, "more elements than 64 bits can count"),
    ("weights that overflow", lambda: sequential(Dense(2**62), shape=(16,)), VALUE, "[dense] units must be from -9007199254740992 to 9007199254740992"),
    ("unknown activation", lambda: Dense(3, activation="rleu"), VALUE, "did you mean 'relu'?"),
    ("activation with arguments", lambda: Dense(3, activation=layers.LeakyReLU(0.7)), VALUE, "add it as a separate layer"),
    ("activation a number", lambda: Dense(3, activation=3), TYPE, "[dense] activation must be a name"),  # type: ignore[arg-type]
    ("unknown initializer", lambda: Dense(3, kernel_initializer="he_norm"), VALUE, "he_norm"),
    ("initializer a number", lambda: Dense(3, kernel_initializer=0.1), TYPE, "kernel_initializer must be a name or"),  # type: ignore[arg-type]
    ("rate of one", lambda: layers.Dropout(1.0), VALUE, "[dropout] rate"),
    ("negative rate", lambda: layers.Dropout(-0.1), VALUE, "[dropout] rate"),
    ("noise shape", lambda: layers.Dropout(0.5, noise_shape=(1, 2)), VALUE, "SpatialDropout2D drops channels"),  # type: ignore[arg-type]
    ("pool within wide margins", lambda: MaxPooling2D(2, padding=((0, 2), (0, 0))), VALUE, "less than pool_size (2, 2), got (0, 2, 0, 0)"),
    ("pool of unknown padding", lambda: MaxPooling2D(2, padding="reflect"), VALUE, "[max_pooling2d] padding must be 'valid', 'same' or"),
    ("axes permuted twice", lambda: layers.Permute((1, 1)), VALUE, "[permute] dims must hold each axis"),
    ("too few axes to permute", lambda: sequential(layers.Permute((2, 1)), shape=(4, 4, 1)), VALUE, "[permute] dims (2, 1) are for 2 axes"),
    ("negative margin", lambda: layers.ZeroPadding2D(-1), VALUE, "[zero_padding2d] padding"),
    ("margins of three", lambda: layers.ZeroPadding2D((1, 2, 3)), VALUE, "((top, bottom), (left, right))"),  # type: ignore[arg-type]
    ("variance alone", lambda: layers.Normalization(variance=1.0), VALUE, "needs both mean and variance"),
    ("epsilon negative", lambda: layers.BatchNormalization(epsilon=-1.0), VALUE, "[batch_normalization] epsilon"),
    ("a name with a slash", lambda: sequential(Dense(3, name="a/b"), shape=(4,)), VALUE, "'a/b' contains '/'"),
    ("a name that is none", lambda: Dense(3, name=""), TYPE, "Dense: name must be a string that is not empty"),
    ("the name twice", lambda: sequential(Dense(3, name="a"), Dense(3, name="a"), shape=(4,)), VALUE, "named 'a'"),
    ("no such argument", lambda: Dense(3, kernel_regularisation="l2"), TYPE, "kernel_regularisation"),  # type: ignore[call-arg]
    # Building
    ("input none", lambda: Input((None, None, 3)), VALUE, "[input_layer] shape must have fixed sizes"),  # type: ignore[arg-type]
    ("input a number", lambda: Input(784), TYPE, "[input_layer] shape must be a tuple such as (28, 28, 1), got 784"),  # type: ignore[arg-type]
    ("input of zero", lambda: Input((0, 3)), VALUE, "sizes of at least 1, got (0, 3)"),
    ("input of rank four", lambda: Input((2, 2, 2, 2)), VALUE, "one to three sizes"),
    ("input of text", lambda: Input((4,), dtype="string"), VALUE, "dtype must be 'float32' or 'uint8'"),
    ("a class for a layer", lambda: sequential(Flatten), TYPE, "got the class Flatten; write Flatten(...)"),
    ("a string for a layer", lambda: sequential("relu"), TYPE, "Sequential takes layers such as Flatten(), got str"),
    ("input in the middle", lambda: sequential(Flatten(), Input((4,))), VALUE, "an Input is the first item"),
    ("a called layer", lambda: st.Sequential([Flatten()(Input((2, 2)))]), TYPE, "layers that are not called yet"),
    ("one layer twice", lambda: sequential(*[Dense(4)] * 2, shape=(4,)), VALUE, "is in the Sequential already"),
    ("called on an array", lambda: Dense(3)(Z), TYPE, "[dense] is called on what Input() or another layer returned"),  # type: ignore[arg-type]
    ("outputs an array", lambda: st.Model(Input((4,)), Z), TYPE, "Model: outputs must be what Input() or a layer"),  # type: ignore[arg-type]
    ("input not given", lambda: st.Model(Input((4,)), Dense(3)(Input((4,)))), VALUE, "no output depends on the input 'input_layer' of shape (N, 4); leave it out, or connect it"),
    ("seed negative", lambda: st.Sequential([Input((4,))], seed=-1), VALUE, "within 0 … 2**64 - 1, got -1"),
    ("seed a float", lambda: st.Sequential([Input((4,))], seed=0.5), TYPE, "seed must be an integer, got float"),  # type: ignore[arg-type]
    ("no layers", lambda: st.Sequential([Input((4,))]).predict(Z), VALUE, "has no layers yet"),
    ("pop nothing", lambda: st.Sequential().pop(), VALUE, "has no layers"),
    ("no such layer", lambda: classifier().get_layer("dens"), VALUE, "did you mean 'dense'?"),
    ("no such index", lambda: classifier().get_layer(index=9), VALUE, "there are 3 layers, got index 9"),
    ("neither", lambda: classifier().get_layer(), VALUE, "either a name or an index"),
    # Compiling
    ("unknown optimizer", lambda: classifier().compile("adm", "mse"), VALUE, "no optimizer 'adm'; did you mean 'adam'"),
    ("optimizer a number", lambda: classifier().compile(0.1, "mse"), TYPE, "an optimizer must be a name such as 'adam'"),  # type: ignore[arg-type]
    ("unknown loss", lambda: classifier("sparse_crossentropy"), VALUE, "there is no loss 'sparse_crossentropy'; did you"),
    ("no loss", lambda: regressor().compile("sgd"), VALUE, "pass loss="),
    ("unknown metric", lambda: classifier(metrics=["acuracy"]), VALUE, "did you mean 'accuracy'"),
    ("a metric's name twice", lambda: classifier(metrics=["accuracy"] * 2), VALUE, "two values would be named 'accuracy'"),
    ("metrics for losses", lambda: classifier(loss_weights=["accuracy"]), TYPE, "loss_weights must be numbers"),
    ("too many losses", lambda: regressor().compile("sgd", ["mse", "mae"]), VALUE, "loss must have one for each of the 1 outputs (dense), got 2"),
    ("negative rate of learning", lambda: optimizers.Adam(-1.0), VALUE, "[Adam] learning_rate must be a number of at least 0"),
    ("beta of one", lambda: optimizers.Adam(beta_1=1.0), VALUE, "beta_1"),
    ("two clips", lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), VALUE, "takes at most one of clipnorm"),
    ("rate a string", lambda: optimizers.SGD("0.1"), TYPE, "learning_rate"),  # type: ignore[arg-type]
    ("rate set to nan", lambda: setattr(optimizers.SGD(), "learning_rate", float("nan")), VALUE, "must be a finite number"),
    ("decay steps zero", lambda: schedules.CosineDecay(0.1, 0), VALUE, "decay_steps"),
    ("values and boundaries", lambda: schedules.PiecewiseConstantDecay([5], [0.1]), VALUE, "PiecewiseConstantDecay"),
    ("reduction", lambda: losses.MeanSquaredError(reduction="none"), VALUE, "reduction must be 'sum_over_batch_size'"),
    ("smoothing", lambda: losses.CategoricalCrossentropy(label_smoothing=2.0), VALUE, "label_smoothing"),
    ("classes on the first axis", lambda: losses.BinaryCrossentropy(axis=1), VALUE, "axis must be -1"),
    # Fitting
    ("not compiled", lambda: fit(sequential(Flatten()), X, LABELS), VALUE, "fit: the model is not compiled; call compile"),
    ("no targets", lambda: fit(classifier(), X), TYPE, "fit: y must be an array of targets, got None"),
    ("lengths", lambda: fit(classifier(), X, LABELS[:7]), VALUE, "fit: x has 10 rows, y has 7"),
    ("wrong rank", lambda: fit(classifier(), X.reshape(10, 64), LABELS), VALUE, "[input_layer] expects input of shape (N, 8, 8, 1), got (10, 64)"),
    ("wrong channels", lambda: fit(classifier(), np.zeros((10, 8, 8, 3)), LABELS), VALUE, "(N, 8, 8, 1), got (10, 8, 8, 3)"),
    ("channels first in the data", lambda: classifier().predict(np.zeros((2, 1, 8, 8))), VALUE, "np.moveaxis(x, 1, -1)"),
    ("one image", lambda: classifier().predict(np.zeros((8, 8, 1))), VALUE, "x[None]"),
    ("no images", lambda: classifier().predict(np.zeros((0, 8, 8, 1))), VALUE, "got an empty batch"),
    ("nothing to fit", lambda: fit(classifier(), X[:0], LABELS[:0]), VALUE, "got an empty batch"),
    ("label too high", lambda: fit(classifier(), X, LABELS + 1), VALUE, "labels must be within 0 to 2 for an output of 3 classes, got 3"),
    ("label negative", lambda: fit(classifier(), X, LABELS - 1), VALUE, "got -1 (element"),
    ("label not whole", lambda: fit(classifier(), X, LABELS + 0.5), VALUE, "expects class labels, whole numbers"),
    ("label nan", lambda: fit(classifier(), X, np.full(10, np.nan)), VALUE, "whole numbers, got nan"),
    ("one-hot to sparse", lambda: fit(classifier(), X, np.eye(3)[LABELS]), VALUE, "for one-hot targets use CategoricalCrossentropy"),
    ("sparse to one-hot", lambda: fit(classifier(losses.CategoricalCrossentropy(from_logits=True)), X, LABELS), VALUE, "use SparseCategoricalCrossentropy"),
    (
        "y that would broadcast",
        lambda: fit(regressor(3), Z, np.zeros((10, 1))),
        VALUE,
        "[MeanSquaredError] expects y of shape (N, 3) for the output (N, 3) of [dense], got (10, 1)",
    ),
    ("y that would broadcast the other way", lambda: fit(regressor(1), Z, np.zeros((10, 3))), VALUE, "got (10, 3)"),
    ("y of one number", lambda: fit(regressor(1), Z, 1.0), VALUE, "got the single number 1.0"),
    ("y of text", lambda: fit(classifier(), X, np.array(["a"] * 10)), TYPE, "y must hold real numbers, got dtype <U1"),
    ("x of objects", lambda: fit(classifier(), np.full((10, 8, 8, 1), None), LABELS), TYPE, "got dtype object"),
    ("x complex", lambda: classifier().predict(X + 1j), TYPE, "must hold real numbers, got dtype complex"),
    ("x ragged", lambda: regressor().predict([[1, 2], [3]]), VALUE, "its rows differ in shape"),
    ("x none", lambda: classifier().predict(None), TYPE, "predict: x must be an array, got None"),
    ("x a symbol", lambda: classifier().predict(Input((8, 8, 1))), TYPE, "a Symbol has no values yet"),
    ("batch size zero", lambda: fit(classifier(), X, LABELS, batch_size=0), VALUE, "fit: batch_size must be at least 1"),
    ("batch size a float", lambda: classifier().predict(X, batch_size=1.5), TYPE, "batch_size must be an integer"),  # type: ignore[arg-type]
    ("no epochs", lambda: fit(classifier(), X, LABELS, epochs=0), VALUE, "fit: epochs must be at least 1, got 0"),
    ("split of one", lambda: fit(classifier(), X, LABELS, validation_split=1.0), VALUE, "at least 0 and less than 1"),
    ("split of nothing", lambda: fit(classifier(), X[:1], LABELS[:1], validation_split=0.5), VALUE, "leaves 0 of 1 rows"),
    ("validation data", lambda: fit(classifier(), X, LABELS, validation_data=X), TYPE, "must be (x, y)"),
    ("validation x", lambda: fit(classifier(), X, LABELS, validation_data=(Z, LABELS)), VALUE, "[input_layer]"),
    ("validation y", lambda: fit(classifier(), X, LABELS, validation_data=(X, LABELS + 9)), VALUE, "within 0 to 2 for an output of 3 classes"),
    ("weights too few", lambda: fit(classifier(), X, LABELS, sample_weight=np.ones(7)), VALUE, "sample_weight has 7 rows"),
    ("weights negative", lambda: fit(classifier(), X, LABELS, sample_weight=-np.ones(10)), VALUE, "not negative"),
    ("weights too many axes", lambda: fit(classifier(), X, LABELS, sample_weight=np.ones((10, 8, 8))), VALUE, "(10, 8, 8)"),
    ("class that is none", lambda: fit(classifier(), X, LABELS, class_weight={7: 1.0}), VALUE, "names class 7"),
    ("class weight negative", lambda: fit(classifier(), X, LABELS, class_weight={1: -1.0}), VALUE, "at least 0, got -1.0"),
    ("class weights a list", lambda: fit(classifier(), X, LABELS, class_weight=[1, 2, 3]), TYPE, "must be a dict"),
    ("class by name", lambda: fit(classifier(), X, LABELS, class_weight={"a": 1.0}), TYPE, "class numbers as keys"),
    ("augment", lambda: fit(classifier(), X, LABELS, augment="flip"), TYPE, "must be called with (images, indices, epoch)"),
    ("callback class", lambda: fit(classifier(), X, LABELS, callbacks=[st.callbacks.TerminateOnNaN]), TYPE, "pass an object"),
    ("steps", lambda: classifier().evaluate(X, LABELS, steps=5, verbose=0), VALUE, "evaluate: steps=5 needs 160 rows"),
    ("inputs by name", lambda: regressor().predict({"b": Z}), VALUE, "must have the keys ['input_layer'], got ['b']"),
    ("metric's shapes", lambda: metrics.get("accuracy")(np.zeros((4, 2)), np.zeros((4, 3))), VALUE, "does not fit"),
    # Weights, files, inspection
    ("too few weights", lambda: regressor().set_weights([]), VALUE, "set_weights expects 2 arrays (dense/kernel (4, 1)"),
    ("weights of text", lambda: regressor().set_weights([np.array(["a"]), np.zeros(1)]), TYPE, "expects numbers for dense/kernel"),
    ("unknown weight", lambda: regressor().load_state_dict({"dense/kernle": Z}), VALUE, "did you mean 'dense/kernel'?"),
    ("missing weight", lambda: regressor().load_state_dict({"dense/bias": Z[0, :1]}), VALUE, "no value for 'dense/kernel'"),
    ("gradient of another shape", lambda: backward(np.zeros((10, 2))), VALUE, "[dense] expects output gradient of shape (N, 1)"),
    ("gradient of fewer rows", lambda: backward(np.zeros((9, 1))), VALUE, "10 rows"),
    ("no maps", lambda: regressor().feature_maps(Z), VALUE, "no layer of the model makes maps"),
    ("maps of no layer", lambda: classifier().feature_maps(X, ["conv"]), VALUE, "no layer 'conv'"),
    ("class for grad-cam", lambda: classifier().grad_cam(X, 3), VALUE, "class_index must be 0 to 2, got 3"),
    ("flat layer for grad-cam", lambda: classifier().grad_cam(X, 0, "flatten"), VALUE, "[flatten] makes no maps"),
    ("grad-cam without images", lambda: regressor().grad_cam(Z), VALUE, "one input (N, H, W, C)"),
    ("receptive field", lambda: classifier().receptive_field("con2d"), VALUE, "did you mean 'conv2d'?"),
    ("no file", lambda: st.load_model("/nowhere/model.safetensors"), FileNotFoundError, "/nowhere/model.safetensors"),
    ("no folder", lambda: regressor().save("/nowhere/model.safetensors"), FileNotFoundError, "/nowhere"),
    ("a folder", lambda: st.load_model("/"), OSError, "/"),
    ("no model", lambda: st.load_model(Path(__file__)), VALUE, "it is truncated or not a safetensors file"),
    # Runtime
    ("threads", lambda: st.set_num_threads(0), VALUE, "set_num_threads: count must be at least 1, got 0"),
    ("threads a string", lambda: st.set_num_threads("2"), TYPE, "set_num_threads: count must be an integer, got '2'"),  # type: ignore[arg-type]
    ("seed", lambda: st.set_seed(-1), VALUE, "set_seed: seed must be within"),
    ("initializer", lambda: st.initializers.get("xavier"), VALUE, "xavier"),
]  # fmt: skip


def backward(gradient: np.ndarray) -> Any:
    model = regressor()
    model.forward(Z)
    return model.backward(gradient)


def test_there_are_enough() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize(("call", "kind", "message"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_wrong_call(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)) as caught:
        call()
    assert len(str(caught.value)) > 10


def test_a_wrong_call_leaves_the_model_as_it_was() -> None:
    model = classifier()
    before = model.get_weights()
    for x, y in ((X, LABELS + 1), (X[:5], LABELS), (Z, LABELS), (X, np.zeros((10, 3)))):
        with pytest.raises(ValueError):
            model.fit(x, y, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    model.fit(X, LABELS, verbose=0)


def test_the_shapes_of_weights_are_told_once() -> None:
    with pytest.raises(ValueError, match=r"for the output \(N, 3\) they must be \(N,\)$"):
        fit(classifier(), X, LABELS, sample_weight=np.ones((10, 8, 8)))


def test_arrays_of_any_making_work() -> None:
    """Not contiguous, read-only, in another byte order, in Fortran's order: the same weights come out."""
    want = classifier()
    want.fit(X, LABELS, verbose=0, epochs=2)
    wide = np.repeat(X, 2, axis=2)[:, :, ::2]
    backwards = np.ascontiguousarray(X[::-1])[::-1]
    frozen, labels = X.copy(), LABELS.copy()
    frozen.flags.writeable = labels.flags.writeable = False
    for x, y in (
        (wide, LABELS),
        (backwards, np.repeat(LABELS, 3)[::3]),
        (frozen, labels),
        (np.asfortranarray(X), LABELS.astype(">i8")),
        (X.astype(">f4"), LABELS.astype(np.uint8)),
        (X.astype(np.float64), list(LABELS)),
        (np.broadcast_to(X[None], (1, *X.shape))[0], LABELS[:, None]),
        (np.ma.masked_array(X), LABELS),
    ):
        model = classifier()
        model.fit(x, y, verbose=0, epochs=2)
        for one, other in zip(want.get_weights(), model.get_weights(), strict=True):
            assert np.array_equal(one, other)
