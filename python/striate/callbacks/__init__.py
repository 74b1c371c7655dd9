"""What happens around training: stopping early, saving, logging, changing the learning rate, watching gradients."""

from striate.callbacks.backup_and_restore import BackupAndRestore
from striate.callbacks.base import Callback, TrainedModel, TrainedOptimizer
from striate.callbacks.callback_list import CallbackList
from striate.callbacks.csv_logger import CSVLogger
from striate.callbacks.early_stopping import EarlyStopping
from striate.callbacks.gradient_flow import GradientFlow
from striate.callbacks.history import History
from striate.callbacks.lambda_callback import LambdaCallback
from striate.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from striate.callbacks.model_checkpoint import ModelCheckpoint
from striate.callbacks.optuna_pruning import OptunaPruning
from striate.callbacks.progress_bar import ProgressBar
from striate.callbacks.tensorboard import TensorBoard
from striate.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "GradientFlow",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "OptunaPruning",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "TrainedModel",
    "TrainedOptimizer",
]
