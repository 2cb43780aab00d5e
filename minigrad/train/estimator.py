"""`Classifier` and `Regressor`: networks with scikit-learn's interface (`minigrad[sklearn]`)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, optim, random
from ..autograd import no_grad
from ..creation import tensor
from ..ops import cat
from ..utils.data import DataLoader, TensorDataset
from ._extra import need
from .folds import KFold, StratifiedKFold
from .stopping import EarlyStopping
from .trainer import Trainer

_base = need("sklearn.base", "scikit-learn", "sklearn")
_validation = need("sklearn.utils.validation", "scikit-learn", "sklearn")
_utils = need("sklearn.utils", "scikit-learn", "sklearn")
_multiclass = need("sklearn.utils.multiclass", "scikit-learn", "sklearn")


class _Network(_base.BaseEstimator):  # type: ignore[name-defined]
    """What both estimators share.

    - `module`: None for layers of `hidden_layer_sizes` with ReLU between; or a function of
      (inputs, outputs) that makes the network; or a network, of which a copy is trained.
    - `optimizer`: a class, or the name of one of `minigrad.optim`; `lr`, `weight_decay`.
    - `criterion`: a function of (output, target) in the loss's place.
    - `max_epochs`, `batch_size`; `early_stopping` holds out `validation_fraction` of the samples,
      stops after `n_iter_no_change` epochs without an improvement of `tol`, and takes the best.
    - `callbacks`: a trainer's. `random_state`: a seed, a RandomState or None.

    Arithmetic is in float32 for X of float32, else in float64. After `fit`: `module_`, `history_`,
    `n_iter_`, `n_features_in_`.
    """

    def __init__(
        self,
        module: Any = None,
        *,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        criterion: Callable[[Any, Any], Any] | None = None,
        optimizer: Any = "Adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        max_epochs: int = 100,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        callbacks: Any = None,
        random_state: Any = None,
    ) -> None:
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.random_state = random_state

    def _make_module(self, inputs: int, outputs: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            return copy.deepcopy(self.module)
        if self.module is not None:
            return self.module(inputs, outputs)
        layers: list[nn.Module] = []
        for width in self.hidden_layer_sizes:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def _make_optimizer(self, module: nn.Module) -> Any:
        made = getattr(optim, self.optimizer) if isinstance(self.optimizer, str) else self.optimizer
        return made(module.parameters(), lr=self.lr, weight_decay=self.weight_decay)

    def _train(self, X: np.ndarray, y: np.ndarray, outputs: int, loss: Any) -> None:
        """Trains a new network; the global random numbers are left as they are."""
        seed = _utils.check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        with random.fork_rng():
            random.manual_seed(int(seed))
            module = self._make_module(X.shape[1], outputs).to(tensor(X[:0]).dtype)
            callbacks = list(self.callbacks or ())
            val: Any = None
            if self.early_stopping:
                X, y, held_out = self._held_out(X, y, int(seed))
                val = DataLoader(held_out, self.batch_size)
                callbacks.append(EarlyStopping("val_loss", self.tol, self.n_iter_no_change))
            data = TensorDataset(tensor(X), tensor(y))
            loader: Any = DataLoader(data, self.batch_size, shuffle=True)
            trainer = Trainer(
                module, self._make_optimizer(module), self.criterion or loss,
                max_epochs=self.max_epochs, callbacks=callbacks,
            )  # fmt: skip
            self.history_ = trainer.fit(loader, val)
        self.n_iter_ = trainer.current_epoch
        self.module_ = module.eval()

    def _held_out(self, X: np.ndarray, y: np.ndarray, seed: int) -> tuple[Any, Any, TensorDataset]:
        """Samples to train on and to validate with: one of several folds, with all classes."""
        if not 0 < self.validation_fraction < 1 or len(X) < 2:
            raise ValueError(
                f"validation_fraction is {self.validation_fraction} of {len(X)} samples; needed: a "
                "fraction between 0 and 1, and two samples at least"
            )
        n_folds = min(max(2, round(1 / self.validation_fraction)), len(X))
        classes = y.ndim == 1 and np.bincount(y).min() >= n_folds
        folds = (StratifiedKFold if classes else KFold)(n_folds, shuffle=True, random_state=seed)
        train, test = next(folds.split(X, y))
        return X[train], y[train], TensorDataset(tensor(X[test]), tensor(y[test]))

    def _outputs(self, X: Any) -> Any:
        _validation.check_is_fitted(self)
        X = _validation.validate_data(self, X, dtype=_TYPES, reset=False)
        own = next(self.module_.parameters()).dtype
        with no_grad():
            starts = range(0, len(X), 1024)
            return cat([self.module_(tensor(X[i : i + 1024]).to(own)) for i in starts])


_TYPES = (np.float64, np.float32)


class Classifier(_base.ClassifierMixin, _Network):  # type: ignore[name-defined]
    """A network as scikit-learn's classifiers: `fit`, `predict`, `predict_proba`, `score`.

    Works in `cross_val_score`, `GridSearchCV` and `Pipeline`. The network's outputs are the scores
    of the classes, which may be of any type; the loss is CrossEntropyLoss. After `fit` also
    `classes_`. Arguments: see the base class.
    """

    def fit(self, X: Any, y: Any) -> Classifier:
        """Trains a new network: X (samples, features), y (samples)."""
        X, y = _validation.validate_data(self, X, y, dtype=_TYPES)
        _multiclass.check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self._train(X, numbers.astype(np.int64), len(self.classes_), nn.CrossEntropyLoss())
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(samples, classes): the softmax of the network's outputs."""
        return self._outputs(X).softmax(1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """(samples): the class of the highest score."""
        scores = self._outputs(X)
        return self.classes_[scores.argmax(1).numpy()]


class Regressor(_base.RegressorMixin, _Network):  # type: ignore[name-defined]
    """A network as scikit-learn's regressors: `fit`, `predict`, `score` (R squared).

    Works in `cross_val_score`, `GridSearchCV` and `Pipeline`. Targets are (samples) or (samples,
    outputs); the loss is MSELoss. Arguments: see the base class.
    """

    def fit(self, X: Any, y: Any) -> Regressor:
        """Trains a new network: X (samples, features), y (samples) or (samples, outputs)."""
        X, y = _validation.validate_data(
            self, X, y, dtype=_TYPES, multi_output=True, y_numeric=True
        )
        self._flat = y.ndim == 1
        targets = np.asarray(y, X.dtype).reshape(len(X), -1)
        self._train(X, targets, targets.shape[1], nn.MSELoss())
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(samples) or (samples, outputs), as the targets were."""
        outputs = self._outputs(X).numpy()
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
