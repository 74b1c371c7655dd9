"""Names of Keras's that striate has no counterpart of, with what to use instead: for messages."""

from __future__ import annotations

from typing import Any, NoReturn

# Methods that Keras calls in subclasses of its Model, beside `call`.
MODEL_METHODS = (
    *("build", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
    *("make_train_function", "make_test_function", "make_predict_function", "compute_output_shape"),
    *("forward", "training_step", "validation_step", "configure_optimizers"),  # PyTorch's
)
STEPS = "write custom steps as a loop over train_on_batch, or as callbacks"
INSTEAD_OF_METHODS = (
    f"the C++ core computes the network and its training. Draw the network with Model(inputs, outputs), Sequential, or "
    f"a subclass of Model whose call(self, inputs) uses layers that __init__ made; {STEPS}"
)
_VALUES = "get_weights() and state_dict() copy the values, set_weights() and load_state_dict() set them"
_COMPILE = "call compile() to choose it"
MODEL = {
    **dict.fromkeys(("call", *MODEL_METHODS), INSTEAD_OF_METHODS),
    **dict.fromkeys(("optimizer", "loss", "metrics", "loss_weights", "weighted_metrics"), _COMPILE),
    **dict.fromkeys(("to_json", "get_config", "from_config"), "save() writes the architecture with the weights"),
    "metrics_names": "evaluate(..., return_dict=True) gives the values with their names",
    "add_loss": "sums of losses are made with +, losses of several outputs with compile(loss=[...])",
    "add_metric": "pass metrics to compile()",
    "run_eagerly": "the C++ core computes every step",
    "jit_compile": "the C++ core computes every step",
    "layers": "Sequential has add() and pop(); Model(inputs, outputs) makes another network",
    "lr": "set model.optimizer.learning_rate",
}
# Names of the package's.
PACKAGE = {
    "ops": "call of models and layers combines layers and arithmetic of symbols; on arrays use numpy",
    "GradientTape": "Model.forward and Model.backward compute one pass with its gradients; grad_cam() explains scores",
    "random": "use numpy.random, whose seed striate.utils.set_random_seed sets too",
    "applications": "striate.models has ready networks, and interop.from_torch takes PyTorch's with their weights",
    "datasets": "striate.data has load_digits() and load_idx()",
    "preprocessing": "striate.utils has image_dataset_from_directory, load_img and img_to_array",
    "mixed_precision": "layers compute in float32",
    "saving": "striate.load_model reads a file, and striate.utils has register_keras_serializable",
    "Variable": "custom layers have add_weight()",
    "tree": "inputs and outputs are one array, a list or a dict",
    "export": "Model.export writes an ONNX file",
}
_REGULARIZE = "penalties are on weights: kernel_regularizer"
WEIGHTS = (
    *("kernel", "bias", "gamma", "beta", "alpha", "moving_mean", "moving_variance"),
    *("depthwise_kernel", "pointwise_kernel"),
)
LAYER = {
    **dict.fromkeys(WEIGHTS, f"a layer has weights once a model is built with it; {_VALUES}"),
    "activity_regularizer": _REGULARIZE,
    **dict.fromkeys(("kernel_constraint", "bias_constraint"), "constraints of weights are not supported"),
    **dict.fromkeys(("dtype", "dtype_policy", "compute_dtype"), "layers compute in float32"),
    "call": "the C++ core computes layers; call the layer on a symbol, or a model on arrays",
    "input_shape": "layer.input.shape is the shape of what it was called on",
}

# Arguments of Keras's layers that are refused, unless they are None or False.
ARGUMENTS = {
    "activity_regularizer": _REGULARIZE,
    **dict.fromkeys(("kernel_constraint", "bias_constraint", "alpha_constraint"), "constraints are not supported"),
    **dict.fromkeys(("beta_constraint", "gamma_constraint"), "constraints are not supported"),
    **dict.fromkeys(("depthwise_constraint", "pointwise_constraint"), "constraints are not supported"),
    **dict.fromkeys(("lora_rank", "lora_alpha", "quantization_config"), "layers are neither adapted nor quantised"),
    "synchronized": "statistics are those of one process",
    "dtype": "layers compute in float32",
    "alpha": "LeakyReLU has negative_slope",
    "weights": "set_weights() of the layer sets them once a model is built with it",
}
# Arguments that change nothing here: batches have any size.
WITHOUT_MEANING = ("batch_size", "autocast")


class Listed(list[Any]):
    """A list that says so where changing it would change nothing else."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"model.layers is a copy, and changing it would change nothing; {MODEL['layers']}. list(model.layers) can "
            "be changed"
        )

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> Any:
        return list, (list(self),)
