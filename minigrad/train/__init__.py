"""Training recipes: a loop with exact resume, early stopping, checkpoints, logging."""

from .callbacks import Callback
from .checkpoints import ModelCheckpoint
from .loggers import (
    CSVLogger,
    LogTo,
    PlotHistory,
    ProgressBar,
    TensorBoardLogger,
    plot_history,
    write_history,
)
from .metrics import accuracy, top_k_accuracy
from .randomness import loader_generators, random_state, set_random_state
from .stopping import EarlyStopping
from .trainer import Trainer

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LogTo",
    "ModelCheckpoint",
    "PlotHistory",
    "ProgressBar",
    "TensorBoardLogger",
    "Trainer",
    "accuracy",
    "loader_generators",
    "plot_history",
    "random_state",
    "set_random_state",
    "top_k_accuracy",
    "write_history",
]
