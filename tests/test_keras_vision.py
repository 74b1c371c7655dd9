"""More small scripts in the manner of Keras's examples on vision; only the imports are striate's.

Each is written as one would write it for Keras. What is asserted at the end is what the script is for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import striate as keras
from striate import layers

(x_train, y_train), (x_test, y_test) = keras.data.load_digits()
x_train, x_test = (x.astype("float32") / x_train.max() for x in (x_train, x_test))


def test_convmixer() -> None:
    def activation_block(x: Any) -> Any:
        x = layers.Activation("gelu")(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    def conv_stem(x: Any, filters: int, patch_size: int) -> Any:
        x = layers.Conv2D(filters, kernel_size=patch_size, strides=patch_size)(x)
        return activation_block(x)

    def conv_mixer_block(x: Any, filters: int, kernel_size: int) -> Any:
        x0 = x
        x = layers.DepthwiseConv2D(kernel_size=kernel_size, padding="same")(x)
        x = layers.Add()([activation_block(x), x0])
        x = layers.Conv2D(filters, kernel_size=1)(x)
        return activation_block(x)

    keras.utils.set_random_seed(7)
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(scale=1.0)(inputs)
    x = conv_stem(x, 32, 2)
    for _ in range(2):
        x = conv_mixer_block(x, 32, 3)
    x = layers.GlobalAvgPool2D()(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    optimizer = keras.optimizers.AdamW(learning_rate=0.01, weight_decay=0.0001)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=3, validation_split=0.1, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    assert accuracy > 0.85


def test_an_mlp_mixer() -> None:
    class MLPMixerLayer(layers.Layer):
        def __init__(self, num_patches: int, hidden_units: int, dropout_rate: float, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.mlp1 = keras.Sequential(
                [
                    layers.Dense(units=num_patches, activation="gelu"),
                    layers.Dense(units=num_patches),
                    layers.Dropout(rate=dropout_rate),
                ]
            )
            self.mlp2 = keras.Sequential(
                [
                    layers.Dense(units=num_patches, activation="gelu"),
                    layers.Dense(units=hidden_units),
                    layers.Dropout(rate=dropout_rate),
                ]
            )
            self.normalize = layers.LayerNormalization(epsilon=1e-6)

        def build(self, input_shape: Any) -> None:
            self.transpose = layers.Permute((2, 1))
            self.back = layers.Permute((2, 1))

        def call(self, inputs: Any) -> Any:
            x = self.normalize(inputs)
            x_channels = self.transpose(x)
            mlp1_outputs = self.mlp1(x_channels)
            mlp1_outputs = self.back(mlp1_outputs)
            x = mlp1_outputs + inputs
            x_patches = self.normalize(x)
            mlp2_outputs = self.mlp2(x_patches)
            return x + mlp2_outputs

    keras.utils.set_random_seed(8)
    inputs = keras.Input(shape=(8, 8, 1))
    x = layers.Conv2D(32, kernel_size=2, strides=2)(inputs)  # patches
    x = layers.Reshape((16, 32))(x)
    for _ in range(1):
        x = MLPMixerLayer(16, 32, 0.1)(x)
    representation = layers.Flatten()(x)
    representation = layers.Dropout(rate=0.1)(representation)
    model = keras.Model(inputs=inputs, outputs=layers.Dense(10)(representation))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=5e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(name="acc"),
            keras.metrics.SparseTopKCategoricalAccuracy(5, name="top5-acc"),
        ],
    )
    reduce_lr = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=5)
    early_stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
    model.fit(
        x=x_train,
        y=y_train,
        batch_size=64,
        epochs=5,
        validation_split=0.1,
        callbacks=[early_stopping, reduce_lr],
        verbose=0,
    )
    _, accuracy, top_5_accuracy = model.evaluate(x_test, y_test, verbose=0)
    assert accuracy > 0.8 and top_5_accuracy > 0.95


def test_deeplab_with_dilated_convolutions() -> None:
    def convolution_block(
        block_input: Any, num_filters: int = 16, kernel_size: int = 3, dilation_rate: int = 1, use_bias: bool = False
    ) -> Any:
        x = layers.Conv2D(
            num_filters,
            kernel_size=kernel_size,
            dilation_rate=dilation_rate,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=keras.initializers.HeNormal(),
        )(block_input)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.Activation("relu")(x)

    def DilatedSpatialPyramidPooling(dspp_input: Any) -> Any:
        dims = dspp_input.shape
        x = layers.AveragePooling2D(pool_size=(dims[-3], dims[-2]))(dspp_input)
        x = convolution_block(x, kernel_size=1, use_bias=True)
        out_pool = layers.UpSampling2D(size=(dims[-3] // x.shape[1], dims[-2] // x.shape[2]), interpolation="bilinear")(
            x
        )
        out_1 = convolution_block(dspp_input, kernel_size=1, dilation_rate=1)
        out_2 = convolution_block(dspp_input, kernel_size=3, dilation_rate=2)
        out_3 = convolution_block(dspp_input, kernel_size=3, dilation_rate=3)
        x = layers.Concatenate(axis=-1)([out_pool, out_1, out_2, out_3])
        return convolution_block(x, kernel_size=1)

    keras.utils.set_random_seed(9)
    model_input = keras.Input(shape=(8, 8, 1))
    low = convolution_block(model_input, num_filters=8)
    x = layers.MaxPooling2D()(low)
    x = convolution_block(x)
    x = DilatedSpatialPyramidPooling(x)
    input_a = layers.UpSampling2D(size=(2, 2), interpolation="bilinear")(x)
    x = layers.Concatenate(axis=-1)([input_a, convolution_block(low, num_filters=8, kernel_size=1)])
    x = convolution_block(x)
    model = keras.Model(inputs=model_input, outputs=layers.Conv2D(2, kernel_size=(1, 1), padding="same")(x))
    masks = (x_train > 0.5).astype("int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-2), loss=loss, metrics=["accuracy"])
    history = model.fit(x_train[:900], masks[:900], validation_split=0.2, epochs=4, verbose=0)
    assert history.history["val_accuracy"][-1] > 0.95
    predictions = np.argmax(model.predict(np.expand_dims(x_test[0], axis=0)).squeeze(), axis=2)
    assert predictions.shape == (8, 8)


def test_mixup_and_a_cosine_schedule() -> None:
    def sample_beta_distribution(size: int, concentration: float = 0.2) -> Any:
        return np.random.beta(concentration, concentration, size)

    def mix_up(images_one: Any, labels_one: Any, images_two: Any, labels_two: Any, alpha: float = 0.2) -> Any:
        share = sample_beta_distribution(len(images_one), alpha)
        x_l = np.reshape(share, (-1, 1, 1, 1))
        y_l = np.reshape(share, (-1, 1))
        return images_one * x_l + images_two * (1 - x_l), labels_one * y_l + labels_two * (1 - y_l)

    keras.utils.set_random_seed(10)
    labels = keras.utils.to_categorical(y_train, num_classes=10)
    order = np.random.permutation(len(x_train))
    x_mixed, y_mixed = mix_up(x_train, labels, x_train[order], labels[order])
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, (5, 5), kernel_initializer="he_normal", padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(32, (3, 3), padding="same", kernel_regularizer="l2"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 400, alpha=0.1, warmup_target=0.1, warmup_steps=50)
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        optimizer=keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        metrics=["accuracy"],
    )
    model.fit(x_mixed, y_mixed, epochs=8, batch_size=32, verbose=0)
    assert model.evaluate(x_test, keras.utils.to_categorical(y_test, 10), verbose=0)[1] > 0.7


def test_keypoints_by_regression() -> None:
    keras.utils.set_random_seed(11)
    rows, columns = np.mgrid[0:8, 0:8] / 8.0
    total = x_train.sum(axis=(1, 2, 3))
    points = np.stack([(x_train[..., 0] * axis).sum(axis=(1, 2)) / total for axis in (columns, rows)], axis=1)

    def get_model() -> Any:
        inputs = layers.Input((8, 8, 1))
        x = layers.ZeroPadding2D(1)(inputs)
        x = layers.Conv2D(16, 3, activation="elu")(x)
        x = layers.Dropout(0.1)(x)
        x = layers.SeparableConv2D(8, kernel_size=5, strides=1, activation="relu")(x)
        outputs = layers.Conv2D(2, kernel_size=4, strides=1, activation="sigmoid")(x)
        return keras.Model(inputs, layers.Flatten()(outputs), name="keypoint_detector")

    model = get_model()
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(1e-3), metrics=["mae", "RootMeanSquaredError"])
    history = model.fit(x_train, points, validation_split=0.1, epochs=5, verbose=0)
    assert history.history["val_mae"][-1] < 0.06


def test_monte_carlo_dropout() -> None:
    keras.utils.set_random_seed(12)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, activation="relu")(inputs)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.5)(x, training=True)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=3, verbose=0)
    noise = np.random.rand(*x_test.shape).astype("float32")

    def spread(images: Any) -> float:
        draws = np.stack([model.predict(images, verbose=0) for _ in range(8)])
        return float(draws.std(axis=0).mean())

    assert 0 < spread(x_test) < spread(noise)


def test_a_learnable_resizer() -> None:
    def conv_block(
        x: Any,
        filters: int,
        kernel_size: int,
        strides: int,
        activation: Any = layers.LeakyReLU(0.2),  # noqa: B008
    ) -> Any:
        x = layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        if activation:
            x = activation(x)
        return x

    def res_block(x: Any) -> Any:
        inputs = x
        x = conv_block(x, 8, 3, 1)
        x = conv_block(x, 8, 3, 1, activation=None)
        return layers.Add()([inputs, x])

    def get_learnable_resizer(filters: int = 8, num_res_blocks: int = 1, interpolation: str = "bilinear") -> Any:
        inputs = layers.Input(shape=[8, 8, 1])
        naive_resize = layers.Resizing(6, 6, interpolation=interpolation)(inputs)
        x = layers.Conv2D(filters=filters, kernel_size=7, strides=1, padding="same")(inputs)
        x = layers.LeakyReLU(0.2)(x)
        x = layers.Conv2D(filters=filters, kernel_size=1, strides=1, padding="same")(x)
        x = layers.LeakyReLU(0.2)(x)
        x = layers.BatchNormalization()(x)
        bottleneck = layers.Resizing(6, 6, interpolation=interpolation)(x)
        for _ in range(num_res_blocks):
            x = res_block(bottleneck)
        x = layers.Conv2D(filters=filters, kernel_size=3, strides=1, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Add()([bottleneck, x])
        x = layers.Conv2D(filters=1, kernel_size=7, strides=1, padding="same")(x)
        final_resize = layers.Add()([naive_resize, x])
        return keras.Model(inputs, final_resize, name="learnable_resizer")

    keras.utils.set_random_seed(13)
    backbone = keras.Sequential(
        [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), layers.Dense(10, activation="softmax")]
    )
    inputs = layers.Input((8, 8, 1))
    x = layers.Rescaling(scale=1.0)(inputs)
    x = get_learnable_resizer()(x)
    model = keras.Model(inputs, backbone(x))
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(), optimizer=keras.optimizers.Adam(5e-3), metrics=["accuracy"]
    )
    model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=3, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.85


def test_super_resolution() -> None:
    def get_model(upscale_factor: int = 2, channels: int = 1) -> Any:
        conv_args = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
        inputs = keras.Input(shape=(4, 4, channels))
        x = layers.Conv2D(16, 5, **conv_args)(inputs)
        x = layers.Conv2D(16, 3, **conv_args)(x)
        x = layers.Conv2D(channels * (upscale_factor**2), 3, **conv_args)(x)
        x = layers.Reshape((4, 4, upscale_factor, upscale_factor, channels))(x)
        x = layers.Permute((1, 3, 2, 4, 5))(x)
        outputs = layers.Reshape((8, 8, channels))(x)
        return keras.Model(inputs, outputs)

    class ESPCNCallback(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.psnr: list[float] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(float(np.mean(self.psnr)))

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.psnr.append(10 * math.log10(1 / logs["loss"]))

    seen: list[float] = []
    keras.utils.set_random_seed(14)
    small = np.asarray(x_train).reshape(-1, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    model = get_model()
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=5e-3), loss=keras.losses.MeanSquaredError())
    model.fit(small, x_train, epochs=5, callbacks=[ESPCNCallback()], validation_split=0.2, verbose=0)
    assert seen[-1] > seen[0] and len(seen) == 5
