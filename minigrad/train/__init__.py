"""Training recipes: a loop with exact resume, what goes into one, and selection of models.

`Classifier` and `Regressor` need scikit-learn: `pip install "minigrad[sklearn]"`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .accumulation import accumulate
from .averaging import WeightAveraging
from .callbacks import Callback
from .checkpoints import ModelCheckpoint
from .energy import EnergyMeter
from .finders import BatchSizes, LRFinder, lr_find, scale_batch_size
from .folds import KFold, StratifiedKFold, cross_validate
from .loggers import (
    CSVLogger,
    LogTo,
    PlotHistory,
    ProgressBar,
    TensorBoardLogger,
    plot_history,
    write_history,
)
from .master_weights import MasterWeights
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
from .search import OptunaPruning, search
from .stopping import EarlyStopping
from .trainer import Trainer

if TYPE_CHECKING:  # they need scikit-learn
    from .estimator import Classifier as Classifier
    from .estimator import Regressor as Regressor

__all__ = [
    "SAM",
    "BatchSizeScheduler",
    "BatchSizes",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "EnergyMeter",
    "KFold",
    "L1Penalty",
    "L2Penalty",
    "LRFinder",
    "LogTo",
    "MasterWeights",
    "ModelCheckpoint",
    "OptunaPruning",
    "PlotHistory",
    "ProgressBar",
    "StratifiedKFold",
    "TensorBoardLogger",
    "Trainer",
    "WeightAveraging",
    "accumulate",
    "accuracy",
    "cross_validate",
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
    "search",
    "set_random_state",
    "top_k_accuracy",
    "write_history",
]


def __getattr__(name: str) -> Any:
    if name in ("Classifier", "Regressor"):
        return getattr(importlib.import_module(f"{__name__}.estimator"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "Classifier", "Regressor"})
