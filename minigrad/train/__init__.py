"""Training recipes: a loop with exact resume, stopping, schedules, finders, penalties, SAM."""

from .accumulation import accumulate
from .callbacks import Callback
from .checkpoints import ModelCheckpoint
from .finders import BatchSizes, LRFinder, lr_find, scale_batch_size
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
from .penalties import L1Penalty, L2Penalty, decoupled_l1, decoupled_weight_decay
from .randomness import loader_generators, random_state, set_random_state
from .sam import SAM, frozen_running_stats
from .schedules import (
    BatchSizeScheduler,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)
from .stopping import EarlyStopping
from .trainer import Trainer

__all__ = [
    "SAM",
    "BatchSizeScheduler",
    "BatchSizes",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "L1Penalty",
    "L2Penalty",
    "LRFinder",
    "LogTo",
    "ModelCheckpoint",
    "PlotHistory",
    "ProgressBar",
    "TensorBoardLogger",
    "Trainer",
    "accumulate",
    "accuracy",
    "decoupled_l1",
    "decoupled_weight_decay",
    "frozen_running_stats",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_linear_schedule_with_warmup",
    "loader_generators",
    "lr_find",
    "plot_history",
    "random_state",
    "scale_batch_size",
    "set_random_state",
    "top_k_accuracy",
    "write_history",
]
