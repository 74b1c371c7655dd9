"""The C++ core, as the package around it sees it. Arrays are C-contiguous; nothing is converted on the way in."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

AnyArray: TypeAlias = NDArray[Any]
"""float32, uint8, int32 or int64."""
FloatArray: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = tuple[int, ...]
"""Of one sample, without the batch."""

# Runtime

def runtime_info() -> dict[str, Any]:
    """version, compiler, isa, openmp, available_isas, threads."""

def cuda_description() -> str: ...
def set_cuda_plugin(path: str) -> None: ...
def cuda_kernels() -> list[tuple[str, bool]]: ...
def checked_device(name: str) -> str: ...
def set_num_threads(count: int) -> None: ...
def get_num_threads() -> int: ...
def startable_threads(count: int) -> int: ...
def warn_of_few_threads(consequence: str) -> None: ...
def use_training_kernels() -> None: ...
def set_seed(seed: int) -> None: ...
def next_seed() -> int: ...
def initializer_names() -> list[str]: ...
def check_initializer(initializer: str, owner: str) -> None: ...
def check_regularizer(regularizer: str | None, owner: str) -> tuple[float, float]: ...
def initialize(initializer: str, shape: Sequence[int], seed: int) -> FloatArray: ...
def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]: ...

class Turn:
    """Exclusive use of something, never waited for. `refusal`: the message of the RuntimeError where it is taken."""

    def __init__(self, refusal: str) -> None: ...
    def take(self) -> Taken: ...
    def take_if_free(self) -> Taken: ...

class Taken:
    """Gives the turn back at the end of a `with` statement, or when it is freed."""

    def __enter__(self) -> bool:
        """Whether the turn was free."""
    def __exit__(self, kind: object, error: object, traceback: object) -> None: ...

# Profiles

class ProfiledStep:
    @property
    def layer(self) -> str:
        """Empty for what belongs to none."""
    @property
    def what(self) -> str: ...
    @property
    def pass_(self) -> str:
        """ "input", "forward", "loss", "backward" or "update"."""
    @property
    def flops(self) -> float: ...
    @property
    def bytes(self) -> float: ...
    @property
    def shared(self) -> bool: ...

class Profile:
    @property
    def steps(self) -> list[ProfiledStep]: ...
    @property
    def threads(self) -> int: ...
    @property
    def runs(self) -> NDArray[np.float64]:
        """(runs, 2): begin and end in seconds."""
    @property
    def spans(self) -> NDArray[np.float64]:
        """(runs, steps, threads, 2): begin and end in seconds, negative where there was nothing to do."""

def measure_limits() -> tuple[float, list[tuple[float, float]]]:
    """Flops a second of multiply-adds in registers; (bytes, bytes a second) of copies."""

# Layers and symbols

class Layer:
    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str:
        """Empty when the user gave none."""
    @property
    def label(self) -> str:
        """The name, or what the first of its type would be called."""
    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int], bool]:
        """Size and stride of what one output position sees, and whether that is the whole map."""
    def config(self) -> dict[str, Any]: ...
    def infer(self, inputs: Sequence[Shape]) -> Shape: ...
    def parameters(self, inputs: Sequence[Shape]) -> list[tuple[str, Shape, bool]]:
        """Name, shape, whether trainable."""
    def multiply_adds(self, inputs: Sequence[Shape]) -> int: ...

    trainable: bool
    @property
    def weights(self) -> list[tuple[str, Shape, bool]] | None:
        """None before a model was built with the layer; else name, shape and whether training updates it, of each."""
    def values(self, indices: Sequence[int]) -> list[FloatArray]:
        """Copies of one moment."""
    def set_values(self, values: Sequence[tuple[int, FloatArray]]) -> None: ...

class Symbol:
    @property
    def shape(self) -> Shape: ...
    @property
    def layer(self) -> Layer: ...
    @property
    def inputs(self) -> list[Symbol]: ...

def layer_types() -> list[str]: ...
def snake_case(type: str) -> str:
    """ "MaxPooling2D" -> "max_pooling2d"."""

def make_layer(type: str, config: dict[str, Any], name: str) -> Layer: ...
def input(shape: Sequence[int], name: str) -> Symbol: ...
def apply(layer: Layer, inputs: Sequence[Symbol], training: bool | None = None) -> Symbol: ...

# Losses and optimizers

class Loss:
    @property
    def type(self) -> str: ...
    @property
    def from_logits(self) -> bool: ...
    @property
    def target_dtype(self) -> str:
        """ "float32", or "int64" for class labels."""
    def config(self) -> dict[str, Any]: ...
    def takes_labels(self, output: Shape) -> bool: ...
    def target_shape(self, output: Shape, layer: str) -> Shape: ...

def loss_types() -> list[str]: ...
def make_loss(type: str, config: dict[str, Any]) -> Loss: ...

class Schedule:
    @property
    def type(self) -> str: ...
    def config(self) -> dict[str, Any]: ...
    def at(self, iteration: int) -> float: ...

class Optimizer:
    @property
    def type(self) -> str: ...
    @property
    def slots(self) -> list[str]: ...
    def config(self) -> dict[str, Any]: ...
    def learning_rate(self, iteration: int) -> float: ...

def schedule_types() -> list[str]: ...
def optimizer_types() -> list[str]: ...
def make_schedule(type: str, config: dict[str, Any]) -> Schedule: ...
def make_optimizer(type: str, config: dict[str, Any]) -> Optimizer: ...

# Models

class ParameterInfo:
    @property
    def name(self) -> str:
        """ "conv2d/kernel"."""
    @property
    def shape(self) -> Shape: ...
    @property
    def layer(self) -> int: ...
    @property
    def trainable(self) -> bool: ...

class Model:
    def __init__(self, inputs: Sequence[Symbol], outputs: Sequence[Symbol], seed: int) -> None: ...
    fusion: bool
    winograd: bool
    device: str
    @property
    def seed(self) -> int: ...
    @property
    def nodes(self) -> list[tuple[int, list[int], Shape]]:
        """Layer, input nodes, output shape; in order."""
    @property
    def layers(self) -> list[tuple[Layer, str, int]]:
        """Layer, name, first node."""
    def node(self, index: int) -> tuple[int, list[int], Shape]:
        """One of `nodes`, without a list of all."""
    def layer(self, index: int) -> tuple[Layer, str, int]:
        """One of `layers`, without a list of all."""
    def parameter(self, index: int) -> ParameterInfo:
        """One of `parameters`, without a list of all."""
    def parameters_of(self, layer: int) -> tuple[int, int]:
        """A layer's parameters are those from the first place to before the second."""
    @property
    def input_nodes(self) -> list[int]: ...
    @property
    def output_nodes(self) -> list[int]: ...
    @property
    def input_shapes(self) -> list[Shape]: ...
    @property
    def output_shapes(self) -> list[Shape]: ...
    @property
    def parameters(self) -> list[ParameterInfo]: ...
    @property
    def weights_version(self) -> int:
        """Grows with every change of a weight."""
    def find_layer(self, name: str) -> int: ...
    def trainable(self, layer: str) -> bool: ...
    @property
    def stores(self) -> list[tuple[int, str]]:
        """Of each memory of weights: a number that no other has, and a layer whose weights are in it."""
    @property
    def inference_nodes(self) -> list[int]:
        """Nodes whose layer behaves as in inference, in training too."""
    @property
    def training_nodes(self) -> list[int]:
        """Nodes whose layer behaves as in training, in predictions too."""
    def arena_bytes(self, batch: int, training: bool) -> int: ...
    def values(self, indices: Sequence[int]) -> list[FloatArray]:
        """Copies of these parameters, all of one moment."""
    def gradients(self, indices: Sequence[int]) -> list[FloatArray | None]:
        """Copies of their gradients, all of one moment."""
    def set_values(self, values: Sequence[tuple[int, FloatArray]]) -> None: ...
    def predict_into(self, inputs: Sequence[AnyArray], batch_size: int, outputs: Sequence[FloatArray]) -> None: ...
    def predict_nodes(self, inputs: Sequence[AnyArray], nodes: Sequence[int], batch_size: int) -> list[FloatArray]: ...
    def profile(self, inputs: Sequence[AnyArray], firsts: Sequence[int], count: int) -> Profile: ...
    def forward(self, inputs: Sequence[AnyArray], training: bool) -> list[FloatArray]: ...
    def backward(self, output_gradients: Sequence[FloatArray]) -> list[FloatArray]: ...
    def node_gradients(
        self, inputs: Sequence[AnyArray], output_gradients: Sequence[FloatArray], nodes: Sequence[int]
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """Values and gradients of these nodes."""

class DistributedError(RuntimeError):
    """A process that takes part in a training failed, or cannot be reached: the message names it."""

class Trainer:
    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        losses: Sequence[Loss | None],
        loss_weights: Sequence[float],
        seed: int,
    ) -> None: ...
    learning_rate: float
    iteration: int
    epochs: int
    seed: int
    @property
    def learning_rate_override(self) -> float | None:
        """What `learning_rate` was set to."""
    def save_training(
        self, path: bytes, extra: Mapping[str, str], arrays: Mapping[str, FloatArray], overwrite: bool
    ) -> None: ...
    def load_training(self, path: bytes) -> None: ...
    @property
    def losses(self) -> list[float]:
        """Of the last step, for each output, without its weight."""
    def begin_epoch(self) -> None: ...
    @property
    def epoch_losses(self) -> list[float]:
        """Of all steps since `begin_epoch`, for each output, without its weight."""
    @property
    def epoch_loss(self) -> float:
        """Their sum, with their weights."""
    @property
    def slot_count(self) -> int: ...
    def bind(
        self,
        inputs: Sequence[AnyArray],
        targets: Sequence[AnyArray | None],
        weights: Sequence[FloatArray | None],
    ) -> None:
        """Targets of an output without a loss are not read; weights are none, one for all outputs, or one for each."""
    def release(self) -> None:
        """Let go of the arrays."""
    def train_as(self, before: Trainer) -> None:
        """Train the layers that both models have as the trainer before did."""
    @property
    def trainable_changed(self) -> bool:
        """Whether a layer's `trainable` is not what it was when the trainer was made."""
    def set_rows(self, rows: NDArray[np.int64] | None) -> None:
        """The order in which the steps take the rows; None for that of the arrays."""
    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None:
        """The outputs of step (first, count) go to rows [first - base, first - base + count) of these."""
    def train_step(self, first: int, count: int) -> float: ...
    def set_shards(self, shards: int, exchange: object | None) -> None:
        """Cut batches, of which this process computes its part. `exchange` is like striate.distributed.Group."""
    @property
    def shards(self) -> int: ...
    def own_rows(self, count: int) -> tuple[int, int]:
        """The rows of a batch of `count` that this process computes."""
    def train_part(self, first: int, count: int) -> float:
        """A step on a batch of `count` rows, of which this process's own are the bound rows from `first` on."""
    def test_part(self, first: int, count: int) -> float: ...
    def fed_part(self, feed: Feed, first: int, count: int) -> float: ...
    def fail_step(self, why: str) -> None:
        """In place of a step: all processes raise DistributedError."""
    def finish_pass(self, failure: str) -> None:
        """After the last `test_part`: `epoch_loss` becomes that of all processes."""
    def ask_to_stop(self, stop: bool) -> None: ...
    @property
    def stop_agreed(self) -> bool:
        """Whether a process had asked for it before the last step."""
    def fed_step(self, feed: Feed, first: int, count: int) -> float:
        """On the next batch of a feed whose buffers are bound: rows [first, first + count) of its epoch."""
    def test_step(self, first: int, count: int) -> float: ...
    def arena_bytes(self, batch: int, training: bool) -> int: ...
    def profile(self, firsts: Sequence[int], count: int) -> Profile:
        """Of training steps on the bound arrays; afterwards everything is as it was before."""
    def slot(self, index: int) -> FloatArray: ...
    def set_slot(self, index: int, value: FloatArray) -> None: ...

# Ready networks: see striate.models

def build_cnn(
    input_shape: Sequence[int],
    classes: int,
    filters: Sequence[int],
    units: int,
    dropout: float,
    rescale: float | None,
    seed: int | None,
) -> Model: ...
def build_lenet(
    input_shape: Sequence[int],
    classes: int,
    activation: str,
    pooling: str,
    dropout: float,
    rescale: float | None,
    seed: int | None,
) -> Model: ...
def build_vgg(
    input_shape: Sequence[int],
    classes: int,
    filters: Sequence[Sequence[int]],
    units: Sequence[int],
    batch_normalization: bool,
    dropout: float,
    rescale: float | None,
    seed: int | None,
) -> Model: ...
def build_resnet18(
    input_shape: Sequence[int],
    classes: int,
    stem: str,
    width: int,
    dropout: float,
    rescale: float | None,
    padding: str,
    seed: int | None,
) -> Model: ...
def build_resnet50(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_mobilenet_v2(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_mobilenet_v3_small(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_efficientnet_b0(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_densenet121(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_convnext_tiny(
    input_shape: Sequence[int],
    classes: int,
    dropout: float,
    rescale: float | None,
    imagenet_pixels: bool,
    seed: int | None,
) -> Model: ...
def build_unet(
    input_shape: Sequence[int],
    classes: int,
    base: int,
    depth: int,
    up: str,
    dropout: float,
    activation: str | None,
    rescale: float | None,
    seed: int | None,
) -> Model: ...
def build_detector(
    input_shape: Sequence[int],
    classes: int,
    base: int,
    strides: Sequence[int],
    depth: int,
    rescale: float | None,
    seed: int | None,
) -> Model: ...

# Detection

# Layers and losses that are computed in Python

def own_loss(type: str, compute: object) -> Loss:
    """`compute(y_true, y_pred, weights, scale, wants_gradient)` returns (sum, count, gradient)."""

def own_layer(type: str, name: str, owner: object) -> Layer:
    """The methods that begin with `_own_` of `owner`, to which this keeps a weak reference, compute it."""

def owner_of(layer: Layer) -> Any:
    """The Python object of `own_layer`, or None."""

def before_fork() -> None: ...
def after_fork() -> None: ...
def iou(
    a: NDArray[np.float64], b: NDArray[np.float64], crowd: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]: ...
def nms(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    iou_threshold: float,
    score_threshold: float | None = None,
    max_detections: int | None = None,
) -> NDArray[np.int64]: ...
def decode(
    output: FloatArray, strides: Sequence[int], score_threshold: float, iou_threshold: float, max_detections: int
) -> list[tuple[FloatArray, NDArray[np.int64], FloatArray]]:
    """Boxes, labels and scores of each image."""

# Augmentation

class Augmentation:
    def __init__(
        self,
        flip_horizontal: float,
        flip_vertical: float,
        rotation: float,
        shift: tuple[float, float],
        zoom: tuple[float, float],
        crop: int,
        brightness: float,
        contrast: float,
        noise: float,
        elastic: float,
        elastic_grid: int,
        fill_mode: str,
        fill_value: float,
        value_range: tuple[float, float] | None,
        seed: int,
    ) -> None: ...
    def check_boxes(self) -> None: ...
    def draw(
        self, indices: NDArray[np.int64], epoch: int, height: int, width: int, uint8: bool
    ) -> tuple[NDArray[np.float64], FloatArray, FloatArray, FloatArray | None]:
        """Matrices (B, 2, 3), brightness and contrast (B,), offsets (B, 2, H, W) with `elastic`."""
    def images(
        self,
        images: AnyArray,
        indices: NDArray[np.int64],
        epoch: int,
        matrices: NDArray[np.float64] | None = None,
    ) -> AnyArray:
        """`matrices`, (B, 2, 3), take the place of those that are drawn."""
    def masks(self, masks: NDArray[Any], indices: NDArray[np.int64], epoch: int, fill: NDArray[Any]) -> NDArray[Any]:
        """(B, H, W, C) of any type; `fill` is one value of theirs."""

def move_boxes(
    boxes: NDArray[np.float64], matrix: NDArray[np.float64], height: int, width: int, least_visible: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Moved boxes (M, 4), and which of them are left."""

class Feed:
    """Batches that a thread makes while the step before runs. Each of `follows` and `weights_follow` is "nothing",
    "pixels" or "boxes"; boxes are float32 (N, M, K) with x1, y1, x2, y2, class (-1: no box) and what else.
    """

    def __init__(
        self,
        inputs: Sequence[AnyArray],
        targets: Sequence[AnyArray | None],
        weights: Sequence[FloatArray | None],
        batch: int,
        change: Augmentation,
        follows: Sequence[str],
        weights_follow: Sequence[str],
        least_visible: float = 0.3,
    ) -> None: ...
    @property
    def buffers(self) -> tuple[list[AnyArray], list[AnyArray | None], list[FloatArray | None]]:
        """Inputs, targets and weights of two batches, one after the other."""
    @property
    def waited(self) -> float:
        """Seconds that batches were waited for."""
    def begin(self, order: NDArray[np.int64], epoch: int) -> None: ...
    def next(self) -> int:
        """The first row in `buffers` of the next batch; the one before is overwritten from then on."""
    def close(self) -> None:
        """End the thread."""

# Files; paths are bytes in the file system's encoding

def save_model(model: Model, path: bytes, extra: Mapping[str, str], overwrite: bool) -> None: ...
def save_weights(model: Model, path: bytes, overwrite: bool) -> None: ...
def load_weights(model: Model, path: bytes, skip_mismatch: bool, by_name: bool) -> list[tuple[str, str]]: ...
def write_file(path: bytes, data: bytes, overwrite: bool, flush: bool) -> None: ...
def load_model(path: bytes) -> tuple[Model, dict[str, str]]: ...
def load_training_extra(path: bytes) -> tuple[dict[str, str], dict[str, FloatArray]]:
    """What `save_training` was given beside the training."""

def architecture_json(model: Model) -> str: ...
def model_from_json(json: str, seed: int) -> Model: ...
