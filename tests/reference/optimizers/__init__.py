"""Optimizers by their update rules, on dictionaries of float64 arrays."""

from reference.optimizers.adadelta import Adadelta
from reference.optimizers.adagrad import Adagrad
from reference.optimizers.adam import Adam, AdamW
from reference.optimizers.lion import Lion
from reference.optimizers.nadam import Nadam
from reference.optimizers.rmsprop import RMSprop
from reference.optimizers.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Lion", "Nadam", "RMSprop"]
