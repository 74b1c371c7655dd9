"""Probes of number arguments, for `test_integer_arguments.py`, which runs this file in a process of its own.

    python tests/integer_probes.py GROUP FIRST [SHARE SEED]

For every public call of the group, every argument whose annotation takes a number gets every value of `INTEGERS` or
`NUMBERS`, one at a time, and what was made is then used. A line is printed before each probe, so that the caller knows
which one ended the process. A probe that ends in anything but success or one of `ALLOWED` prints a line that begins
with "BAD". With SHARE below 1, that part of the probes is drawn at random.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import striate as st
from striate.layers import Conv2D, Dense, Flatten, Input

INTEGERS = (0, -1, 4096, 2**16, 2**31 - 1, 2**31, 2**40, 2**63 - 1, 2**64)
NUMBERS = (0.0, -1.0, 1e30, float("inf"), float("-inf"), float("nan"), 2**64)
ALLOWED = (ValueError, TypeError, MemoryError)
_TEMPORARY = tempfile.TemporaryDirectory(prefix="striate-probes-")
FOLDER = Path(_TEMPORARY.name)
SECONDS = 10  # of processor time for one probe
BYTES = 4 << 30  # of address space

# Values for arguments that have no default, by name.
REQUIRED: dict[str, Any] = {
    "filters": 2,
    "kernel_size": 1,
    "units": 2,
    "rate": 0.5,
    "scale": 0.5,
    "activation": "relu",
    "shape": (4, 4, 2),
    "target_shape": (32,),
    "dims": (2, 1, 3),
    "initial_learning_rate": 0.1,
    "decay_steps": 2,
    "first_decay_steps": 2,
    "decay_rate": 0.5,
    "boundaries": [1],
    "values": [0.1, 0.01],
    "schedule": lambda epoch: 0.1,
    "losses": ["mse", "mae"],
    "count": 1,
    "height": 4,
    "width": 4,
    "backbone": st.models.resnet18((128, 32, 1), 2, width=2, seed=0),
    "boxes": np.array([[0, 0, 1, 1]], np.float32),
    "scores": np.array([0.5], np.float32),
    "a": np.array([[0, 0, 1, 1]], np.float32),
    "b": np.array([[0, 0, 1, 1]], np.float32),
    "output": np.zeros((1, 5, 6), np.float32),
    "targets": [(np.array([[0, 0, 1, 1]], np.float32), np.array([0]))],
    "size": (16, 16),
}
# Bases that make a group's arguments reach the code behind them, by name of the call.
BASES: dict[str, dict[str, Any]] = {
    "Augment": {"rotation": 10.0, "elastic": 0.1, "noise": 0.1},
    "GroupNormalization": {"groups": 2},
    "CosineDecay": {"warmup_target": 0.2, "warmup_steps": 1},
    "DetectionLoss": {"strides": (2, 4)},
    "decode": {"strides": (8, 16)},
    "lenet": {"input_shape": (28, 28, 1)},
    "resnet18": {"width": 8},
    "unet": {"input_shape": (16, 16, 1), "base": 2, "depth": 1},
    "mobilenet_v3_small": {"input_shape": (32, 32, 1), "classes": 2},
    "vgg": {"input_shape": (8, 8, 1), "filters": ((2,),), "units": (2,)},
    "cnn": {"input_shape": (8, 8, 1), "filters": (2,), "units": 2},
    "detector": {"input_shape": (16, 16, 1), "base": 2},
    "CSVLogger": {"filename": str(FOLDER / "log.csv")},
    "ModelCheckpoint": {"filepath": str(FOLDER / "best.st")},
    "TensorBoard": {"log_dir": str(FOLDER / "logs")},
}

Probe = tuple[str, Callable[[], object]]


def takes(annotation: object, kinds: tuple[str, ...]) -> bool:
    text = str(annotation)
    return any(kind in text for kind in kinds)


def changes(name: str, call: Callable[..., Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Labels and arguments of the calls with one number changed."""
    parameters = inspect.signature(call).parameters
    base = dict(BASES.get(name, {}))
    for parameter in parameters.values():
        if parameter.default is parameter.empty and parameter.name in REQUIRED:
            base.setdefault(parameter.name, REQUIRED[parameter.name])
    for parameter in parameters.values():
        whole = takes(parameter.annotation, ("int", "Pair", "Margins", "Size"))
        real = takes(parameter.annotation, ("float", "Rate"))
        if not (whole or real):
            continue
        values: list[Any] = [*(INTEGERS if whole else ()), *(NUMBERS if real else ())]
        if takes(parameter.annotation, ("Sequence", "tuple", "Pair", "Margins", "Size")):
            values += [(value, value) for value in values] + [(value, value, 1) for value in INTEGERS]
        for value in values:
            yield f"{name}({parameter.name}={value!r})", {**base, parameter.name: value}


def public(module: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    skipped = {"Layer", "Loss", "Optimizer", "LearningRateSchedule", "Metric", "Symbol", "Callback", "Initializer"}
    skipped |= {"TrainedModel", "TrainedOptimizer", "CallbackList", "get"}
    # Built as mobilenet_v3_small is, and larger.
    skipped |= {"convnext_tiny", "densenet121", "efficientnet_b0", "mobilenet_v2", "resnet50", "imagenet_pixels"}
    for name in module.__all__:
        if name not in skipped and callable(getattr(module, name)):
            yield name, getattr(module, name)


def of(module: Any, use: Callable[[Any], object]) -> Iterator[Probe]:
    """What a module's calls make of changed arguments, used by `use`."""
    for name, call in public(module):
        for label, arguments in changes(name, call):
            yield label, lambda call=call, arguments=arguments: use(call(**arguments))


IMAGES = np.linspace(0, 1, 2 * 4 * 4 * 2, dtype=np.float32).reshape(2, 4, 4, 2)


MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")


def use_layer(layer: Any) -> None:
    symbol = layer if isinstance(layer, st.layers.Symbol) else None
    if isinstance(layer, st.layers.InputLayer):
        symbol = layer._symbol()
    if symbol is None:
        symbol = Input((4, 4, 2))
        merging = layer._core.type in MERGING
        model = st.Model(symbol, layer([symbol, symbol] if merging else symbol), seed=0)
    else:
        model = st.Model(symbol, Flatten()(symbol), seed=0)
        return
    model.summary(print_fn=lambda line: None, batch_size=1)
    y = model.predict(IMAGES, verbose=0)
    model.compile("sgd", loss="mse")
    model.fit(IMAGES, y, verbose=0)


def small_model() -> st.Model:
    model = st.Sequential([Input((4, 4, 2)), Flatten(), Dense(3, activation="softmax")], seed=0)
    model.compile("sgd", loss="sparse_categorical_crossentropy")
    return model


LABELS = np.array([0, 2])


def use_loss(loss: Any) -> None:
    if isinstance(loss, st.losses.DetectionLoss):
        return
    for shape in ((2, 4, 4, 2), (2, 3)):
        y = np.full(shape, 1.0 / shape[-1], np.float32)
        for target in (y, np.zeros(shape[:-1], np.int64)):
            with contextlib.suppress(*ALLOWED):
                loss(target, y)


def use_optimizer(optimizer: Any) -> None:
    model = small_model()
    if isinstance(optimizer, st.optimizers.LearningRateSchedule):
        optimizer = st.optimizers.SGD(optimizer)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    model.fit(IMAGES, LABELS, epochs=2, batch_size=1, verbose=0)


def use_metric(metric: Any) -> None:
    for y, x in ((LABELS, np.full((2, 3), 1 / 3, np.float32)), (np.array([0, 1]), np.full((2, 1), 0.5, np.float32))):
        with contextlib.suppress(*ALLOWED):
            metric.update_state(y, x)
            metric.result()


def use_augment(made: Any) -> None:
    if isinstance(made, st.data.Augment):
        for fill in ("reflect", "constant", "wrap", "nearest"):
            change = st.data.Augment(**{**made.__dict__, "fill_mode": fill})
            images = change(IMAGES, np.arange(2), 0)
            inside = made.brightness == 0 and made.noise <= 0.1 and made.contrast == 0
            if inside and fill == "reflect":
                assert np.isfinite(images).all() and abs(images).max() < 5, "pixels from outside the image"
            change.masks(IMAGES[..., 0], np.arange(2), 0)


def use_callback(callback: Any) -> None:
    small_model().fit(IMAGES, LABELS, epochs=2, validation_data=(IMAGES, LABELS), callbacks=[callback], verbose=0)


def use_initializer(initializer: Any) -> None:
    symbol = Input((4, 4, 2))
    st.Model(symbol, Conv2D(2, 1, kernel_initializer=initializer)(symbol), seed=0)


def use_network(model: st.Model) -> None:
    assert model.count_params() > 0


def networks() -> Iterator[Probe]:
    for label, probe in of(st.models, use_network):
        if "4096" not in label and "65536" not in label:  # gigabytes of weights, as was asked for
            yield label, probe


def runtime() -> Iterator[Probe]:
    """Methods of models, and functions of the package itself."""
    model = small_model()
    arguments = {"x": IMAGES, "y": LABELS}
    for owner in (model, model._compiled("probes")):
        for method in ("fit", "evaluate", "predict", "profile", "summary", "get_layer"):
            call = getattr(owner, method, None)
            if call is None:
                continue
            parameters = inspect.signature(call).parameters
            base = {key: value for key, value in arguments.items() if key in parameters}
            if "verbose" in parameters:
                base["verbose"] = 0
            if method == "fit":
                base["validation_data"] = (IMAGES, LABELS)
            for label, changed in changes(method, call):
                # So many epochs, steps or positions are wanted: the call would rightly go on for as long.
                number = list(changed.values())[-1]
                if label.startswith(("fit(epochs", "profile(steps")) and isinstance(number, int) and number > 1:
                    continue
                yield label, lambda call=call, changed=changed, base=base: call(**{**base, **changed})
    for name in ("set_num_threads", "set_seed"):
        call = getattr(st, name)
        for parameter in inspect.signature(call).parameters:
            for value in INTEGERS:
                yield f"{name}({parameter}={value})", lambda call=call, value=value: call(value)


def tiles() -> Iterator[Probe]:
    symbol = Input((4, 4, 1))
    model = st.Model(symbol, Conv2D(1, 1)(symbol), seed=0)
    image = np.zeros((8, 8, 1), np.float32)
    for name in ("predict_tiles", "with_input_size"):
        call = getattr(st.segmentation, name)
        for label, changed in changes(name, call):
            base = {"model": model, "image": image}
            base = {key: value for key, value in base.items() if key in inspect.signature(call).parameters}
            yield label, lambda call=call, changed=changed, base=base: call(**{**base, **changed})


def data() -> Iterator[Probe]:
    from PIL import Image

    folder = FOLDER / "images"
    (folder / "a").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "a" / "0.png")
    base: dict[str, dict[str, Any]] = {
        "augment": {"x": IMAGES},
        "to_categorical": {"x": LABELS},
        "split": {"x": IMAGES, "y": LABELS, "stratify": False},
        "read_image": {"path": folder / "a" / "0.png"},
        "image_dataset_from_directory": {"directory": folder, "image_size": (4, 4)},
        "SegmentationFolder": {"images": folder / "a", "masks": folder / "a", "size": (4, 4)},
        "Augment": {},
        "digit_scenes": {},
        "load_digits": {},
    }
    for name, given in base.items():
        call = getattr(st.data, name)
        for label, changed in changes(name, call):
            if name in ("digit_scenes", "augment") and 1 < changed.get("count", changed.get("copies", 0)) < 2**31:
                continue  # so many are wanted
            yield label, lambda call=call, changed=changed, given=given: use_augment(call(**{**given, **changed}))


def detection() -> Iterator[Probe]:
    for name in ("clip", "decode", "nms", "fix_targets"):
        call = getattr(st.detection, name)
        for label, changed in changes(name, call):
            yield label, lambda call=call, changed=changed: call(**changed)


GROUPS: dict[str, Callable[[], Iterator[Probe]]] = {
    "layers": lambda: of(st.layers, use_layer),
    "losses": lambda: of(st.losses, use_loss),
    "optimizers": lambda: of(st.optimizers, use_optimizer),
    "metrics": lambda: of(st.metrics, use_metric),
    "callbacks": lambda: of(st.callbacks, use_callback),
    "initializers": lambda: of(st.initializers, use_initializer),
    "models": networks,
    "data": data,
    "detection": detection,
    "segmentation": tiles,
    "runtime": runtime,
}


def main() -> None:
    group, first = sys.argv[1], int(sys.argv[2])
    share, seed = (float(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 3 else (1.0, 0)
    draw = random.Random(seed)
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    for number, (label, probe) in enumerate(GROUPS[group]()):
        if draw.random() >= share or number < first:
            continue
        print(number, label, flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)  # its signal ends the process
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                probe()
        except ALLOWED as error:
            if not str(error) and not isinstance(error, MemoryError):
                print(f"BAD {label}: {type(error).__name__} without a message", flush=True)
        except BaseException as error:
            print(f"BAD {label}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    print("END", flush=True)


if __name__ == "__main__":
    main()
