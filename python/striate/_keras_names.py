"""Names of Keras's that striate has no counterpart of, with what to use instead: for messages."""

from __future__ import annotations

from typing import Any, NoReturn

# Methods that Keras calls in subclasses of its Model.
MODEL_METHODS = (
    *("call", "build", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
    *("make_train_function", "make_test_function", "make_predict_function", "compute_output_shape"),
    *("forward", "training_step", "validation_step", "configure_optimizers"),  # PyTorch's
)
STEPS = "write steps of your own as a loop over train_on_batch, or as callbacks"
INSTEAD_OF_METHODS = (
    f"the C++ core computes the network and its training. Draw the network with Model(inputs, outputs) or Sequential; "
    f"{STEPS}"
)
_VALUES = "get_weights() and state_dict() copy the values, set_weights() and load_state_dict() set them"
_COMPILE = "call compile() to choose it"
MODEL = {
    **dict.fromkeys(("weights", "trainable_weights", "non_trainable_weights", "variables"), _VALUES),
    **dict.fromkeys(("trainable_variables", "non_trainable_variables"), _VALUES),
    **dict.fromkeys(MODEL_METHODS, INSTEAD_OF_METHODS),
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
_REGULARIZE = "optimizers have weight_decay, which applies to all weights or to those that you choose"
LAYER = {
    **dict.fromkeys(("kernel", "bias", "gamma", "beta", "alpha"), _VALUES),
    **dict.fromkeys(("depthwise_kernel", "pointwise_kernel", "moving_mean", "moving_variance"), _VALUES),
    **dict.fromkeys(("weights", "trainable_weights", "non_trainable_weights", "variables"), _VALUES),
    **dict.fromkeys(("trainable_variables", "non_trainable_variables"), _VALUES),
    **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "activity_regularizer"), _REGULARIZE),
    **dict.fromkeys(("kernel_constraint", "bias_constraint"), "constraints of weights are not supported"),
    **dict.fromkeys(("dtype", "dtype_policy", "compute_dtype"), "layers compute in float32"),
    "call": "the C++ core computes layers; call the layer on a symbol, or a model on arrays",
    "input_shape": "layer.input.shape is the shape of what it was called on",
}

# Arguments of Keras's layers.
ARGUMENTS = {
    **dict.fromkeys(("input_shape", "input_dim"), "begin the model with Input(shape)"),
    **dict.fromkeys(("batch_input_shape", "batch_size"), "begin the model with Input(shape), without the batch"),
    **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "activity_regularizer"), _REGULARIZE),
    **dict.fromkeys(("beta_regularizer", "gamma_regularizer", "depthwise_regularizer"), _REGULARIZE),
    **dict.fromkeys(("pointwise_regularizer", "alpha_regularizer"), _REGULARIZE),
    **dict.fromkeys(("kernel_constraint", "bias_constraint"), "constraints of weights are not supported"),
    **dict.fromkeys(("dtype", "autocast"), "layers compute in float32"),
    "alpha": "LeakyReLU has negative_slope",
    "weights": "set_weights() of the layer sets them once a model is built with it",
}


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
