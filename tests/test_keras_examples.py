"""Small scripts in the manner of Keras's guides and examples on vision; only the imports are striate's.

Each is written as one would write it for Keras. What is asserted at the end is what the script is for.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import striate as keras
from striate import layers

(x_train, y_train), (x_test, y_test) = keras.data.load_digits()
x_train, x_test = (x.astype("float32") / x_train.max() for x in (x_train, x_test))


def test_a_simple_convnet() -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, kernel_size=(3, 3), activation="relu", padding="same"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    y = keras.utils.to_categorical(y_train, 10)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x_train, y, batch_size=64, epochs=12, validation_split=0.1, verbose=0)
    assert model.evaluate(x_test, keras.utils.to_categorical(y_test, 10), verbose=0)[1] > 0.9


def test_xception_like_blocks_with_residuals() -> None:
    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape=x_train.shape[1:])
    x = layers.Rescaling(2.0, offset=-1)(inputs)
    x = layers.Conv2D(16, 3, strides=1, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous = x
    for size in [24, 32]:
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(size, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(size, 1, strides=2, padding="same")(previous)
        x = layers.add([x, residual])
        previous = x
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.1)(x)
    model = keras.Model(inputs, layers.Dense(10, activation=None)(x))
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
    )
    history = model.fit(x_train, y_train, epochs=8, validation_data=(x_test, y_test), verbose=0)
    assert max(history.history["val_acc"]) > 0.85


def test_squeeze_and_excitation() -> None:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    se = layers.GlobalAveragePooling2D(keepdims=True)(x)
    se = layers.Conv2D(4, 1, activation="relu")(se)
    se = layers.Conv2D(16, 1, activation="sigmoid")(se)
    x = layers.Multiply()([x, se])
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=8, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.85


def test_a_convolutional_autoencoder_and_its_encoder() -> None:
    keras.utils.set_random_seed(3)
    image = keras.Input(shape=(8, 8, 1))
    x = layers.Conv2D(16, (3, 3), activation="relu", padding="same")(image)
    x = layers.MaxPooling2D((2, 2), padding="same")(x)
    encoded = layers.Conv2D(4, (3, 3), activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(16, (3, 3), strides=2, activation="relu", padding="same")(encoded)
    decoded = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
    autoencoder, encoder = keras.Model(image, decoded), keras.Model(image, encoded)
    autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
    noisy = np.clip(x_train + 0.2 * np.random.default_rng(0).normal(size=x_train.shape), 0, 1).astype("float32")
    history = autoencoder.fit(noisy, x_train, epochs=4, batch_size=64, shuffle=True, verbose=0)
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]
    inner = keras.Model(autoencoder.input, autoencoder.layers[3].output)
    np.testing.assert_array_equal(encoder.predict(x_test[:5]), inner.predict(x_test[:5]))


def test_transfer_learning_with_a_base_of_ones_own() -> None:
    keras.utils.set_random_seed(4)
    base = keras.Sequential(
        [
            layers.Conv2D(16, 3, padding="same", activation="relu", input_shape=(8, 8, 1)),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ],
        name="base",
    )
    small = y_train < 5
    first = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    first.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    first.fit(x_train[small], y_train[small], epochs=3, verbose=0)
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    x = base(inputs, training=False)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.1)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = base.get_weights()
    model.fit(x_train, y_train, epochs=2, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=2, verbose=0)
    after = base.get_weights()
    assert not np.array_equal(before[0], after[0]) and np.array_equal(before[4], after[4])  # not the moving mean


def test_a_siamese_network() -> None:
    keras.utils.set_random_seed(5)
    tower = keras.Sequential(
        [layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(32, activation="relu"), layers.Dense(8)]
    )
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    difference = tower(left) - tower(right)
    distance = difference**2
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(distance))
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(x_train), (2, 3000))
    half = rng.random(3000) < 0.5
    for row in np.flatnonzero(half):
        b[row] = rng.choice(np.flatnonzero(y_train == y_train[a[row]]))
    same = (y_train[a] == y_train[b]).astype("float32")
    model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    model.fit([x_train[a], x_train[b]], same, batch_size=32, epochs=10, verbose=0)
    assert model.evaluate([x_train[a], x_train[b]], same, verbose=0)[1] > 0.85


@pytest.mark.filterwarnings("ignore:.*trainable of a layer was set after compile")
def test_a_gan() -> None:
    keras.utils.set_random_seed(6)
    discriminator = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.LeakyReLU(alpha=0.2),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input(shape=(6,)),
            layers.Dense(4 * 4 * 8),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    discriminator.compile(keras.optimizers.Adam(1e-3), loss)
    discriminator.trainable = False
    z = keras.Input((6,))
    gan = keras.Model(z, discriminator(generator(z)))
    gan.compile(keras.optimizers.Adam(1e-3), loss)
    rng = np.random.default_rng(0)
    before, judge = generator.get_weights()[0], discriminator.get_weights()[0]
    for _ in range(5):
        latent = rng.normal(size=(16, 6)).astype("float32")
        fakes = generator.predict(latent)
        images = np.concatenate([x_train[rng.integers(0, len(x_train), 16)], fakes])
        labels = np.concatenate([np.ones((16, 1)), np.zeros((16, 1))])
        assert np.isfinite(discriminator.train_on_batch(images, labels))
        kept = discriminator.get_weights()[0]
        gan.train_on_batch(latent, np.ones((16, 1)))
        assert np.array_equal(kept, discriminator.get_weights()[0])  # frozen in the gan
    assert not np.array_equal(before, generator.get_weights()[0])
    assert not np.array_equal(judge, discriminator.get_weights()[0])


def test_a_unet_like_segmentation() -> None:
    keras.utils.set_random_seed(7)
    masks = (x_train > 0.5).astype("uint8")[..., 0]
    inputs = keras.Input(shape=(8, 8, 1))
    down = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D(2)(down)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.Concatenate()([x, down])
    outputs = layers.Conv2D(2, 3, activation="softmax", padding="same")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy", metrics=["MeanIoU"])
    callbacks = [keras.callbacks.EarlyStopping(patience=2), keras.callbacks.ReduceLROnPlateau(patience=1)]
    model.fit(x_train, masks, batch_size=64, epochs=4, validation_split=0.1, callbacks=callbacks, verbose=0)
    assert model.evaluate(x_train, masks, verbose=0, return_dict=True)["MeanIoU"] > 0.9


def test_own_layer_loss_metric_schedule_and_callback(tmp_path: Any) -> None:
    class Antirectifier(layers.Layer):
        """As in Keras's example of that name, without the mean."""

        def __init__(self, initializer: str = "he_normal", **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.initializer = initializer

        def build(self, input_shape: Any) -> None:
            self.kernel_ = self.add_weight(
                shape=(2 * input_shape[-1], input_shape[-1]),
                initializer=self.initializer,
                name="kernel",
                trainable=True,
            )

        def call(self, inputs: Any) -> Any:
            both = np.concatenate([np.maximum(inputs, 0), np.maximum(-inputs, 0)], axis=-1)
            return both @ self.kernel_

        def backward(self, dy: Any, inputs: Any) -> Any:
            both = np.concatenate([np.maximum(inputs, 0), np.maximum(-inputs, 0)], axis=-1)
            positive, negative = np.split(dy @ self.kernel_.T, 2, axis=-1)
            return positive * (inputs > 0) - negative * (inputs < 0), {"kernel": both.T @ dy}

    class Focal(keras.losses.Loss):
        def __init__(self, gamma: float = 2.0, name: str = "focal") -> None:
            super().__init__(name=name)
            self.gamma = gamma

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return (y_true * (1 - y_pred) ** self.gamma * -np.log(y_pred + 1e-7)).sum(axis=-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            rest, p = 1 - y_pred, y_pred + 1e-7
            return y_true * (self.gamma * rest ** (self.gamma - 1) * np.log(p) - rest**self.gamma / p)

    class Triangle(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> float:
            return 1e-3 * (1 + abs(step % 40 - 20) / 20)

    class Epochs(keras.callbacks.Callback):
        seen: ClassVar[list[int]] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen.append(epoch)

    def confidence(y_true: Any, y_pred: Any) -> Any:
        return y_pred.max(axis=-1)

    keras.utils.set_random_seed(8)
    assert keras.testing.check_gradient(Antirectifier(), x_test[:3].reshape(3, -1) - 0.5) < 1e-4
    shares = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert keras.testing.check_gradient(Focal(), np.eye(2), shares) < 1e-6
    model = keras.Sequential(
        [
            layers.Flatten(input_shape=(8, 8, 1)),
            layers.Dense(32),
            Antirectifier(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(Triangle()), Focal(), metrics=["accuracy", confidence])
    y = keras.utils.to_categorical(y_train, 10)
    history = model.fit(x_train, y, epochs=6, verbose=0, callbacks=[Epochs()])
    assert Epochs.seen == list(range(6)) and history.history["accuracy"][-1] > 0.85
    model.save(tmp_path / "m.safetensors")
    known = {"Antirectifier": Antirectifier, "Focal": Focal, "Triangle": Triangle, "confidence": confidence}
    loaded = keras.models.load_model(tmp_path / "m.safetensors", custom_objects=known)
    assert loaded.evaluate(x_train, y, verbose=0) == model.evaluate(x_train, y, verbose=0)


def test_two_heads_with_weights_and_checkpoints(tmp_path: Any) -> None:
    keras.utils.set_random_seed(9)
    inputs = keras.Input(shape=(8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, activation="relu")(inputs)
    x = layers.Flatten()(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    even = layers.Dense(1, activation="sigmoid", name="even")(layers.Dense(8, activation="relu")(x))
    model = keras.Model(inputs=inputs, outputs=[digit, even])
    model.compile(
        optimizer="adam",
        loss={"digit": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
        loss_weights={"digit": 1.0, "even": 0.5},
        metrics={"digit": ["accuracy"], "even": ["AUC"]},
    )
    targets = {"digit": y_train, "even": (y_train % 2 == 0).astype("float32")}
    with pytest.raises(ValueError, match=r"writes a safetensors file"):
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras")
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "best.safetensors", monitor="loss", save_best_only=True)
    model.fit({"image": x_train}, targets, epochs=4, verbose=0, callbacks=[checkpoint])
    scores = model.evaluate(
        {"image": x_test}, {"digit": y_test, "even": (y_test % 2 == 0)}, verbose=0, return_dict=True
    )
    assert scores["digit_accuracy"] > 0.85 and scores["even_AUC"] > 0.95
    best = keras.models.load_model(tmp_path / "best.safetensors")
    assert [layer.name for layer in best.layers] == [layer.name for layer in model.layers]
