"""Small scripts in the manner of Keras's guides; only the imports are striate's.

Each is written as one would write it for Keras. What is asserted at the end is what the script is for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import striate as keras
from striate import layers

(x_train, y_train), (x_test, y_test) = keras.data.load_digits()
x_train, x_test = (x.astype("float32") / x_train.max() for x in (x_train, x_test))


def test_image_classification_from_scratch(tmp_path: Any) -> None:
    keras.utils.set_random_seed(1)
    data_augmentation_layers = [layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.02)]

    def data_augmentation(images: Any) -> Any:
        for layer in data_augmentation_layers:
            images = layer(images)
        return images

    def make_model(input_shape: Any, num_classes: int) -> Any:
        inputs = keras.Input(shape=input_shape)
        x = data_augmentation(inputs)
        x = layers.Conv2D(16, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        previous_block_activation = x
        for size in [24, 32]:
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(size, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
            x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
            residual = layers.Conv2D(size, 1, strides=2, padding="same")(previous_block_activation)
            x = layers.add([x, residual])
            previous_block_activation = x
        x = layers.GlobalAveragePooling2D()(x)
        units = 1 if num_classes == 2 else num_classes
        x = layers.Dropout(0.1)(x)
        return keras.Model(inputs, layers.Dense(units, activation=None)(x))

    model = make_model(input_shape=(8, 8, 1), num_classes=2)
    even_train, even_test = y_train % 2, y_test % 2
    callbacks = [keras.callbacks.ModelCheckpoint(tmp_path / "save_at_{epoch}.safetensors")]
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="acc")],
    )
    model.fit(x_train, even_train, epochs=5, callbacks=callbacks, validation_data=(x_test, even_test), verbose=0)
    img_array = keras.utils.img_to_array(x_test[0])
    img_array = np.expand_dims(img_array, 0)
    score = 1 / (1 + math.exp(-float(model.predict(img_array)[0][0])))
    assert 0 < score < 1 and model.evaluate(x_test, even_test, verbose=0)[1] > 0.85
    again = keras.models.load_model(tmp_path / "save_at_5.safetensors")
    assert np.array_equal(again.predict(img_array), model.predict(img_array))


def test_the_functional_api() -> None:
    keras.utils.set_random_seed(2)
    encoder_input = keras.Input(shape=(8, 8, 1), name="original_img")
    x = layers.Conv2D(8, 3, activation="relu")(encoder_input)
    x = layers.Conv2D(16, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(8, 2, activation="relu")(x)
    encoder_output = layers.GlobalMaxPooling2D()(x)
    encoder = keras.Model(encoder_input, encoder_output, name="encoder")
    encoder.summary(print_fn=lambda line: None)

    decoder_input = keras.Input(shape=(8,), name="encoded_img")
    x = layers.Reshape((2, 2, 2))(decoder_input)
    x = layers.Conv2DTranspose(16, 3, activation="relu")(x)
    x = layers.UpSampling2D(2)(x)
    decoder_output = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    decoder = keras.Model(decoder_input, decoder_output, name="decoder")

    autoencoder_input = keras.Input(shape=(8, 8, 1), name="img")
    autoencoder = keras.Model(autoencoder_input, decoder(encoder(autoencoder_input)), name="autoencoder")
    autoencoder.compile(keras.optimizers.Adam(1e-2), "mse")
    history = autoencoder.fit(x_train, x_train, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]

    # Ensembles, with the mean of three models as a layer.
    def get_model() -> Any:
        inputs = keras.Input(shape=(8,))
        return keras.Model(inputs, layers.Dense(1)(inputs))

    models = [get_model() for _ in range(3)]
    inputs = keras.Input(shape=(8,))
    ensemble = keras.Model(inputs=inputs, outputs=layers.average([model(inputs) for model in models]))
    codes = encoder.predict(x_test[:6])
    np.testing.assert_allclose(ensemble.predict(codes), np.mean([m.predict(codes) for m in models], 0), rtol=1e-5)

    # A model that extracts the features of all layers.
    features_list = [layer.output for layer in encoder.layers]
    feat_extraction_model = keras.Model(inputs=encoder.input, outputs=features_list)
    extracted = feat_extraction_model(x_test[:2])
    assert [feature.shape for feature in extracted][-1] == (2, 8) and len(extracted) == len(encoder.layers)

    # A graph with several inputs and outputs.
    title_input, body_input = keras.Input((8,), name="title"), keras.Input((8, 8, 1), name="body")
    title_features = layers.Dense(4, activation="relu")(title_input)
    body_features = layers.Flatten()(layers.Conv2D(4, 3, strides=2)(body_input))
    x = layers.concatenate([title_features, body_features])
    priority_pred = layers.Dense(1, name="priority")(x)
    department_pred = layers.Dense(10, name="department")(x)
    model = keras.Model(
        inputs=[title_input, body_input], outputs={"priority": priority_pred, "department": department_pred}
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss={
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
    )
    targets = {"priority": (y_train % 2)[:, None], "department": y_train}
    history = model.fit(
        {"title": encoder.predict(x_train), "body": x_train}, targets, epochs=2, batch_size=32, verbose=0
    )
    assert history.history["loss"][-1] < history.history["loss"][0]
    predicted = model.predict({"title": codes, "body": x_test[:6]})
    assert predicted["priority"].shape == (6, 1) and predicted["department"].shape == (6, 10)


def test_the_sequential_model() -> None:
    keras.utils.set_random_seed(3)
    model = keras.Sequential(name="my_sequential")
    model.add(layers.Dense(2, activation="relu", name="layer1"))
    model.add(layers.Dense(3, activation="relu", name="layer2"))
    model.add(layers.Dense(4, name="layer3"))
    assert len(model.layers) == 3 and not model.built
    y = model(np.ones((1, 4), "float32"))
    assert y.shape == (1, 4) and len(model.weights) == 6
    model.pop()
    assert len(model.layers) == 2

    model = keras.Sequential()
    model.add(keras.Input(shape=(8, 8, 1)))
    model.add(layers.Conv2D(16, 3, activation="relu", padding="same"))
    model.add(layers.MaxPooling2D(2))
    model.add(layers.Conv2D(16, 3, activation="relu", name="my_intermediate_layer"))
    model.add(layers.GlobalMaxPooling2D())
    model.add(layers.Dense(10))
    feature_extractor = keras.Model(
        inputs=model.inputs,
        outputs=model.get_layer(name="my_intermediate_layer").output,
    )
    assert feature_extractor(x_test[:3]).shape == (3, 2, 2, 16)
    for layer in model.layers[:-1]:
        layer.trainable = False
    before = [layer.get_weights() for layer in model.layers]
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=1, verbose=0)
    after = [layer.get_weights() for layer in model.layers]
    same = [all(np.array_equal(p, q) for p, q in zip(a, b, strict=True)) for a, b in zip(before, after, strict=True)]
    assert same == [True] * 4 + [False]


def test_layers_and_models_by_subclassing() -> None:
    class ConvBlock(layers.Layer):
        def __init__(self, filters: int, name: str | None = None) -> None:
            super().__init__(name=name)
            self.conv = layers.Conv2D(filters, 3, padding="same", use_bias=False)
            self.bn = layers.BatchNormalization(momentum=0.9)
            self.act = layers.ReLU()

        def call(self, inputs: Any, training: Any = None) -> Any:
            x = self.conv(inputs)
            x = self.bn(x, training=training)
            return self.act(x)

    class ResNetBlock(layers.Layer):
        def __init__(self, filters: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.block_1 = ConvBlock(filters)
            self.block_2 = ConvBlock(filters)
            self.shortcut = layers.Conv2D(filters, 1)
            self.global_add = layers.Add()

        def call(self, inputs: Any) -> Any:
            x = self.block_2(self.block_1(inputs))
            return self.global_add([x, self.shortcut(inputs)])

    class ResNet(keras.Model):
        def __init__(self, num_classes: int = 1000) -> None:
            super().__init__()
            self.block_1 = ResNetBlock(8)
            self.block_2 = ResNetBlock(16)
            self.global_pool = layers.GlobalAveragePooling2D()
            self.classifier = layers.Dense(num_classes)

        def call(self, inputs: Any) -> Any:
            x = self.block_1(inputs)
            x = self.block_2(x)
            x = self.global_pool(x)
            return self.classifier(x)

    keras.utils.set_random_seed(4)
    resnet = ResNet(num_classes=10)
    resnet.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
    )
    resnet.fit(x_train, y_train, epochs=4, batch_size=64, verbose=0)
    assert resnet.evaluate(x_test, y_test, verbose=0)[1] > 0.85
    assert len(resnet.block_1.weights) == 12 and len(resnet.block_1.trainable_weights) == 8


def test_writing_your_own_callbacks(capsys: Any) -> None:
    class LossAndErrorPrintingCallback(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch % 10 == 0:
                print(f"Up to batch {batch}, the average loss is {logs['loss']:7.2f}.")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            print(f"The average loss for epoch {epoch} is {logs['loss']:7.2f}.")

    class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
        def __init__(self, patience: int = 0) -> None:
            super().__init__()
            self.patience = patience
            self.best_weights = None

        def on_train_begin(self, logs: Any = None) -> None:
            self.wait = 0
            self.stopped_epoch = 0
            self.best = np.inf

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            current = logs.get("loss")
            if np.less(current, self.best):
                self.best = current
                self.wait = 0
                self.best_weights = self.model.get_weights()
            else:
                self.wait += 1
                if self.wait >= self.patience:
                    self.stopped_epoch = epoch
                    self.model.stop_training = True
                    self.model.set_weights(self.best_weights)

    class CustomLearningRateScheduler(keras.callbacks.Callback):
        def __init__(self, schedule: Any) -> None:
            super().__init__()
            self.schedule = schedule

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if not hasattr(self.model.optimizer, "learning_rate"):
                raise ValueError('Optimizer must have a "learning_rate" attribute.')
            lr = keras.backend.get_value(self.model.optimizer.learning_rate)
            scheduled_lr = self.schedule(epoch, lr)
            self.model.optimizer.learning_rate = scheduled_lr
            rates.append(float(np.array(self.model.optimizer.learning_rate)))

    rates: list[float] = []
    schedule = [(1, 0.05), (2, 0.01), (3, 0.0)]

    def lr_schedule(epoch: int, lr: float) -> float:
        for start, rate in schedule:
            if epoch == start:
                return rate
        return lr

    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.1), loss="mean_squared_error")
    history = model.fit(
        x_train.reshape(-1, 64),
        y_train,
        batch_size=64,
        epochs=12,
        verbose=0,
        callbacks=[
            LossAndErrorPrintingCallback(),
            EarlyStoppingAtMinLoss(patience=2),
            CustomLearningRateScheduler(lr_schedule),
        ],
    )
    np.testing.assert_allclose(rates[:5], [0.1, 0.05, 0.01, 0.0, 0.0])
    assert len(history.epoch) < 12 and "The average loss for epoch 0" in capsys.readouterr().out


def test_training_with_built_in_methods(tmp_path: Any) -> None:
    def get_uncompiled_model() -> Any:
        inputs = keras.Input(shape=(64,), name="digits")
        x = layers.Dense(64, activation="relu", name="dense_1")(inputs)
        x = layers.Dense(64, activation="relu", name="dense_2")(x)
        outputs = layers.Dense(10, activation="softmax", name="predictions")(x)
        return keras.Model(inputs=inputs, outputs=outputs)

    def get_compiled_model() -> Any:
        model = get_uncompiled_model()
        model.compile(
            optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"]
        )
        return model

    class DigitsDataset(keras.utils.PyDataset):
        def __init__(self, x_set: Any, y_set: Any, batch_size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.x, self.y = x_set, y_set
            self.batch_size = batch_size

        def __len__(self) -> int:
            return math.ceil(len(self.x) / self.batch_size)

        def __getitem__(self, idx: int) -> Any:
            low = idx * self.batch_size
            high = min(low + self.batch_size, len(self.x))
            return self.x[low:high], self.y[low:high]

    keras.utils.set_random_seed(6)
    x, x_val = x_train.reshape(-1, 64)[:-200], x_train.reshape(-1, 64)[-200:]
    y, y_val = y_train[:-200], y_train[-200:]
    model = get_compiled_model()
    history = model.fit(x, y, batch_size=64, epochs=2, validation_data=(x_val, y_val), verbose=0)
    assert set(history.history) >= {
        "loss",
        "sparse_categorical_accuracy",
        "val_loss",
        "val_sparse_categorical_accuracy",
    }
    model.fit(DigitsDataset(x, y, batch_size=64), validation_data=DigitsDataset(x_val, y_val, 64), epochs=1, verbose=0)
    class_weight = {i: 2.0 if i == 5 else 1.0 for i in range(10)}
    model.fit(x, y, class_weight=class_weight, batch_size=64, epochs=1, verbose=0)
    sample_weight = np.ones(shape=(len(y),))
    sample_weight[y == 5] = 2.0
    model.fit(x, y, sample_weight=sample_weight, batch_size=64, epochs=1, validation_split=0.2, verbose=0)
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e-2, patience=2, verbose=0),
        keras.callbacks.ModelCheckpoint(
            filepath=tmp_path / "mymodel_{epoch}.safetensors", save_best_only=True, monitor="val_loss", verbose=0
        ),
        keras.callbacks.TensorBoard(log_dir=tmp_path / "logs", histogram_freq=0, update_freq="epoch"),
    ]
    initial_learning_rate = 3e-3
    lr_schedule = keras.optimizers.schedules.ExponentialDecay(
        initial_learning_rate, decay_steps=100, decay_rate=0.96, staircase=True
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=lr_schedule),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x, y, epochs=3, batch_size=64, callbacks=callbacks, validation_split=0.2, verbose=0)
    results = model.evaluate(x_test.reshape(-1, 64), y_test, batch_size=128, verbose=0)
    assert results[1] > 0.85 and list(tmp_path.glob("mymodel_*.safetensors")) and any((tmp_path / "logs").iterdir())


# What does not run; docs/from-keras.md lists it.


def test_a_vae_has_a_training_step_of_its_own() -> None:
    with pytest.raises(TypeError, match=r"VAE.train_step would never be called; .*a loop over train_on_batch"):

        class VAE(keras.Model):
            def __init__(self, encoder: Any, decoder: Any) -> None:
                super().__init__()
                self.encoder, self.decoder = encoder, decoder

            def train_step(self, data: Any) -> Any:
                return {}


def test_a_sampling_layer_computes_with_random_numbers() -> None:
    class Sampling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            z_mean, z_log_var = inputs
            epsilon = np.random.normal(size=(1, 2))
            return z_mean + np.exp(0.5 * z_log_var) * epsilon

    with pytest.raises(TypeError, match="does not support ufuncs"):
        Sampling()([keras.Input((2,)), keras.Input((2,))])


def test_a_dense_layer_of_ones_own_needs_its_gradient() -> None:
    class Linear(layers.Layer):
        def __init__(self, units: int = 32) -> None:
            super().__init__()
            self.units = units

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)

        def call(self, inputs: Any) -> Any:
            return keras.ops.matmul(inputs, self.w)

    with pytest.raises(TypeError, match=r"add_weight is for layers that compute on NumPy arrays: define backward"):
        Linear()(keras.Input((3,)))


@pytest.mark.parametrize(
    ("name", "instead"),
    [("ops", "arithmetic of symbols"), ("GradientTape", "Model.backward"), ("applications", "striate.models")],
)
def test_names_that_there_are_not(name: str, instead: str) -> None:
    with pytest.raises(AttributeError, match=rf"no attribute '{name}'; .*{instead}"):
        getattr(keras, name)
