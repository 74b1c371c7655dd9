"""More small scripts in the manner of Keras's guides and examples on vision; only the imports are striate's.

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
