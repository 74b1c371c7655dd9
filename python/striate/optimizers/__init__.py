"""Optimizers and learning-rate schedules, with Keras's names, arguments and defaults.

Gradient descent, stochastic and mini-batch are `SGD` with a `batch_size` of all, 1, or between. All optimizers take:

- learning_rate: a number, or one of `striate.optimizers.schedules`.
- weight_decay: weights are reduced by this share times the learning rate at each step (decoupled, as in AdamW:
  Loshchilov and Hutter, ICLR 2019); None for none. It applies to all trainable weights unless
  `optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])` leaves some out.
- clipnorm: each weight array's gradient is scaled down to this L2 norm.
- clipvalue: each element of the gradient is cut to ± this value.
- global_clipnorm: the gradient of all weights together is scaled down to this L2 norm.
"""

from striate.optimizers import schedules
from striate.optimizers._optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, RMSprop, get
from striate.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "LearningRateSchedule",
    "Lion",
    "Nadam",
    "Optimizer",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "RMSprop",
    "get",
    "schedules",
]
