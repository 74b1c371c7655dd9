"""Model files from Python: everything comes back, other readers open them, damaged ones are errors."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers
from striate.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D, ReLU

rng = np.random.default_rng(2)
X = rng.normal(size=(12, 8, 8, 1)).astype(np.float32)
LABELS = rng.integers(0, 3, 12)


def trained(**more: Any) -> st.Sequential:
    model = st.Sequential(
        [Input((8, 8, 1)), Conv2D(4, 3), BatchNormalization(), ReLU(), MaxPooling2D(2), Flatten(), Dense(3)],
        seed=3,
        **more,
    )
    model.compile(
        st.optimizers.AdamW(st.optimizers.schedules.CosineDecay(1e-3, 100), clipnorm=1.0),
        st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=7),
        metrics=["accuracy", st.metrics.F1Score()],
    )
    model.fit(X, LABELS, epochs=2, verbose=0)
    return model


def branched() -> st.Model:
    inputs = Input((8, 8, 1), name="image")
    x = Conv2D(4, 3, padding="same", name="first")(inputs)
    y = Conv2D(4, 3, padding="same")(x)
    y = Add()([x, y])
    shared = Dense(2, name="head")
    return st.Model(inputs, [shared(Flatten()(y)), Flatten()(MaxPooling2D(4)(y))], seed=1, name="two heads")


def header(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    result: dict[str, Any] = json.loads(data[8 : 8 + length])
    return result


def rewrite(path: Path, change: Any) -> None:
    """The same file with another header."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    change(head)
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def test_everything_comes_back(tmp_path: Path) -> None:
    model = trained(name="digits")
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = st.load_model(path)
    assert type(again) is st.Sequential
    assert again.name == "digits"
    assert list(again.state_dict()) == list(model.state_dict())
    for name, value in model.state_dict().items():
        assert value.tobytes() == again.state_dict()[name].tobytes()
    assert again.predict(X).tobytes() == model.predict(X).tobytes()
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.loss.get_config() == model.loss.get_config()  # type: ignore[union-attr]
    report = again.evaluate(X, LABELS, verbose=0, return_dict=True)
    assert list(report) == ["loss", "accuracy", "f1_score"]
    assert report["loss"] == model.evaluate(X, LABELS, verbose=0)[0]
    again.fit(X, LABELS, verbose=0)


def test_graphs_come_back(tmp_path: Path) -> None:
    model = branched()
    model.get_layer("first").trainable = False
    model.save(tmp_path / "m")
    again = st.load_model(tmp_path / "m")
    assert type(again) is st.Model
    assert again.name == "two heads"
    for one, other in zip(model.predict(X), again.predict(X), strict=True):
        assert one.tobytes() == other.tobytes()
    assert not again.get_layer("first").trainable
    assert again.get_layer("head").trainable
    assert again.input_names == ["image"] and again.output_names == model.output_names
    part = st.Model(again.input, again.get_layer("first").output)
    assert np.array_equal(part.get_weights()[0], model.get_weights()[0])
    assert isinstance(again.get_layer("first"), Conv2D)


def test_uncompiled_and_compiled(tmp_path: Path) -> None:
    model = branched()
    model.save(tmp_path / "m")
    with pytest.raises(ValueError, match="not compiled"):
        st.load_model(tmp_path / "m").evaluate(X, [X, X])
    compiled = trained()
    compiled.save(tmp_path / "m")
    with pytest.raises(ValueError, match="not compiled"):
        st.load_model(tmp_path / "m", compile=False).evaluate(X, LABELS)


def test_a_loaded_sequential_grows(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path / "m")
    again = st.load_model(tmp_path / "m")
    assert isinstance(again, st.Sequential)
    again.add(layers.Softmax())
    assert np.allclose(again.predict(X).sum(1), 1, atol=1e-5)
    again.pop()
    assert again.predict(X).tobytes() == model.predict(X).tobytes()


def test_safetensors_opens_it(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    model = trained()
    model.save(tmp_path / "model.safetensors")
    found = safetensors.load_file(tmp_path / "model.safetensors")
    state = model.state_dict()
    assert set(found) == set(state)
    for name, value in state.items():
        assert found[name].dtype == np.float32 and found[name].tobytes() == value.tobytes()
        assert found[name].shape == value.shape


def test_weights_of_safetensors_are_read(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    model, other = trained(), trained()
    state = {name: np.ascontiguousarray(value + 1) for name, value in model.state_dict().items()}
    safetensors.save_file(state, tmp_path / "w.safetensors")
    other.load_weights(tmp_path / "w.safetensors")
    assert all(np.array_equal(value, state[name]) for name, value in other.state_dict().items())


def test_weights_alone(tmp_path: Path) -> None:
    model = trained()
    model.save_weights(tmp_path / "w")
    fresh = st.Sequential([Input((8, 8, 1)), *[type(e).from_config(e.get_config()) for e in model.layers]], seed=9)
    assert not np.array_equal(fresh.predict(X), model.predict(X))
    fresh.load_weights(tmp_path / "w")
    assert np.array_equal(fresh.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="weights without an architecture"):
        st.load_model(tmp_path / "w")
    model.save(tmp_path / "m")
    fresh.load_weights(tmp_path / "m")


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    trained().save_weights(tmp_path / "w")
    other = st.Sequential([Input((8, 8, 1)), Conv2D(5, 3), Flatten(), Dense(3)], seed=0)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"conv2d/kernel.*\(3, 3, 1, 4\).*\(3, 3, 1, 5\)"):
        other.load_weights(tmp_path / "w")
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


def with_head(classes: int, body: int = 4) -> st.Sequential:
    return st.Sequential(
        [Input((8, 8, 1)), Conv2D(body, 3, name="features"), Flatten(), Dense(classes, name="head")], seed=classes
    )


def same_layers(a: st.Model, b: st.Model) -> list[str]:
    """Names of layers whose weights are the same bits."""
    return [
        one.name
        for one in a.layers
        for other in b.layers
        if one.name == other.name
        and one.get_weights()
        and [v.tobytes() for v in one.get_weights()] == [v.tobytes() for v in other.get_weights()]
    ]


def test_weights_of_another_head(tmp_path: Path) -> None:
    saved, model = with_head(3), with_head(7)
    saved.save_weights(tmp_path / "w")
    before = model.get_weights()
    for options in ({}, {"by_name": True}):
        with pytest.raises(ValueError, match=r"'head/kernel' has shape \(144, 3\).*needs \(144, 7\)"):
            model.load_weights(tmp_path / "w", **options)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    for options in ({"skip_mismatch": True}, {"by_name": True, "skip_mismatch": True}):
        model = with_head(7)
        with pytest.warns(UserWarning, match=r"these layers do not fit '.*' and are left as they were: 'head': tensor"):
            model.load_weights(tmp_path / "w", **options)
        assert same_layers(saved, model) == ["features"]
        assert all(np.array_equal(a, b) for a, b in zip(before[2:], model.get_weights()[2:], strict=True))
    everything = with_head(3, 4)
    everything.load_weights(tmp_path / "w", skip_mismatch=True, by_name=True)  # without a warning
    assert same_layers(saved, everything) == ["features", "head"]


def test_weights_by_name(tmp_path: Path) -> None:
    saved = with_head(3)
    saved.save(tmp_path / "m")
    other = st.Sequential(
        [Input((8, 8, 1)), Conv2D(4, 3, name="features"), ReLU(), Conv2D(2, 3, name="more"), Flatten(), Dense(3)],
        seed=9,
    )
    before = other.get_layer("more").get_weights()
    with pytest.raises(ValueError, match="no tensor 'more/kernel'"):
        other.load_weights(tmp_path / "m")
    other.load_weights(tmp_path / "m", by_name=True)
    assert same_layers(saved, other) == ["features"]
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_layer("more").get_weights(), strict=True))
    with pytest.warns(
        UserWarning, match="'more': the file has no tensor 'more/kernel'.*'head': the file has such a la"
    ):
        other.load_weights(tmp_path / "m", skip_mismatch=True)
    strangers = st.Sequential([Input((4,)), Dense(2, name="alone")], seed=0)
    for options in ({"by_name": True}, {"skip_mismatch": True}):
        with pytest.raises(ValueError, match="no layer of the file fits the model"):
            strangers.load_weights(tmp_path / "m", **options)


def test_a_layer_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """A layer without bias, and a file with one: its kernel alone is not read either."""
    saved = with_head(3)
    saved.save_weights(tmp_path / "w")
    other = st.Sequential(
        [Input((8, 8, 1)), Conv2D(4, 3, name="features", use_bias=False), Flatten(), Dense(3, name="head")], seed=9
    )
    before = other.get_layer("features").get_weights()
    with pytest.warns(
        UserWarning, match="'features': the file has a tensor 'features/bias', for which the model has no"
    ):
        other.load_weights(tmp_path / "w", skip_mismatch=True)
    assert same_layers(saved, other) == ["head"]
    assert np.array_equal(before[0], other.get_layer("features").get_weights()[0])
    with pytest.raises(ValueError, match=r"features/bias.*skip_mismatch=True leaves such layers as they are"):
        other.load_weights(tmp_path / "w", by_name=True)


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    model = trained()
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError, match="already exists"):
        model.save(path, overwrite=False)
    assert path.read_bytes() == b"before"
    model.save(path)
    assert os.listdir(tmp_path) == ["model.safetensors"]
    st.load_model(path)
    with pytest.raises(FileNotFoundError) as caught:
        model.save(tmp_path / "no" / "folder")
    assert caught.value.errno == 2
    with pytest.raises(OSError):
        model.save(tmp_path)
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_paths_of_all_kinds(tmp_path: Path) -> None:
    model = trained()
    odd = tmp_path / "modèle 数字.safetensors"
    model.save(str(odd))
    assert np.array_equal(st.load_model(odd).predict(X), model.predict(X))
    raw = os.fsencode(tmp_path) + b"/\xff\xfe"
    model.save(os.fsdecode(raw))
    st.load_model(os.fsdecode(raw))
    with pytest.raises(FileNotFoundError):
        st.load_model(os.fsdecode(raw + b"\xff"))
    with pytest.raises(TypeError):
        st.load_model(3)  # type: ignore[arg-type]


def test_every_truncation_is_an_error(tmp_path: Path) -> None:
    trained().save(tmp_path / "m")
    whole = (tmp_path / "m").read_bytes()
    part = tmp_path / "part"
    for size in [*range(0, 64), *range(64, len(whole), 97), len(whole) - 1]:
        part.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="part"):
            st.load_model(part)
    part.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="part"):
        st.load_model(part)


def test_false_headers_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "m"

    def refused(change: Any) -> None:
        trained().save(path)
        rewrite(path, change)
        with pytest.raises(ValueError, match=str(path)):
            st.load_model(path)

    def tensor(**values: Any) -> Any:
        return lambda head: head["dense/kernel"].update(values)

    def architecture(change: Any) -> Any:
        def apply(head: dict[str, Any]) -> None:
            text = json.loads(head["__metadata__"]["striate"])
            change(text)
            head["__metadata__"]["striate"] = json.dumps(text)

        return apply

    refused(tensor(shape=[2**40, 2**40]))
    refused(tensor(data_offsets=[0, 2**60]))
    refused(tensor(dtype="F64"))
    refused(lambda head: head.pop("dense/kernel"))
    refused(lambda head: head["__metadata__"].pop("striate"))
    refused(architecture(lambda a: a["layers"][1].update(type="os.system")))
    refused(architecture(lambda a: a["layers"][1]["config"].update(filters=2**50)))
    refused(architecture(lambda a: a["layers"][1]["config"].update(filters=-1)))
    refused(architecture(lambda a: a["layers"][1]["config"].update(surprise=1)))
    refused(architecture(lambda a: a["nodes"][1].update(inputs=[5])))
    refused(architecture(lambda a: a.update(outputs=[99])))
    refused(architecture(lambda a: a.update(version=99)))
    refused(lambda head: head["__metadata__"].update({"striate.training": "{"}))
    refused(lambda head: head["__metadata__"].update({"striate.training": json.dumps({"optimizer": 3})}))
    refused(
        lambda head: head["__metadata__"].update(
            {"striate.training": json.dumps({"optimizer": {"class": "get", "config": {"identifier": "adam"}}})}
        )
    )
    st.load_model(path, compile=False)


def test_metadata_is_plain(tmp_path: Path) -> None:
    trained(name="n").save(tmp_path / "m")
    metadata = header(tmp_path / "m")["__metadata__"]
    assert set(metadata) == {"striate", "striate.class", "striate.name", "striate.training"}
    assert all(isinstance(value, str) for value in metadata.values())
    assert json.loads(metadata["striate.training"])["optimizer"]["class"] == "AdamW"
