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
from ..utils.data import DataLoader
from ._extra import need
from ._weighted import WeightedTrainer, dataset, of_each
from .folds import KFold, StratifiedKFold
from .stopping import EarlyStopping
from .trainer import Trainer

_base = need("sklearn.base", "scikit-learn", "sklearn")
_validation = need("sklearn.utils.validation", "scikit-learn", "sklearn")
_utils = need("sklearn.utils", "scikit-learn", "sklearn")
_multiclass = need("sklearn.utils.multiclass", "scikit-learn", "sklearn")
_class_weight = need("sklearn.utils.class_weight", "scikit-learn", "sklearn")


class _Network(_base.BaseEstimator):  # type: ignore[name-defined]
    """What both estimators share.

    - `module`: None for layers of `hidden_layer_sizes` with ReLU between; or a function of
      (inputs, outputs) that makes the network; or a network, of which a copy is trained.
    - `optimizer`: a class, or the name of one of `minigrad.optim`; `lr`, `weight_decay`.
    - `criterion`: a function of (output, target) in the loss's place.
    - `max_epochs`, `batch_size`; `early_stopping` holds out `validation_fraction` of the samples,
      stops after `n_iter_no_change` epochs without an improvement of `tol`, and takes the best.
    - `callbacks`: a trainer's. `random_state`: a seed, a RandomState or None.

    Weights of samples multiply their losses; only their ratios matter. `partial_fit` trains for an
    epoch at each call, with the optimizer that it has.

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

    def _train(
        self, X: np.ndarray, y: np.ndarray, outputs: int, loss: Any, weight: Any = None,
        partly: bool = False,
    ) -> None:  # fmt: skip
        """Trains a new network; with `partly` for one epoch, which an old network goes on with.

        The global random numbers are left as they are.
        """
        if partly and self.early_stopping:
            raise ValueError("partial_fit was called with early_stopping=True; needed: fit")
        fresh = not (partly and hasattr(self, "module_"))
        if fresh:
            self._seeds = _utils.check_random_state(self.random_state)
        seed = self._seeds.randint(np.iinfo(np.int32).max)
        with random.fork_rng():
            random.manual_seed(int(seed))
            if fresh:
                module = self._make_module(X.shape[1], outputs).to(tensor(X[:0]).dtype)
                self._optimizer, self.n_iter_ = self._make_optimizer(module), 0
                self.module_ = module
                self.history_: list[dict[str, Any]] = []
            own = next(self.module_.parameters()).dtype
            parts = [X, y] if weight is None else [X, y, weight * (len(weight) / weight.sum())]
            callbacks = list(self.callbacks or ())
            val: Any = None
            if self.early_stopping:
                parts, held_out = self._held_out(parts, int(seed))
                val = DataLoader(dataset(held_out, own), self.batch_size)
                callbacks.append(EarlyStopping("val_loss", self.tol, self.n_iter_no_change))
            loader: Any = DataLoader(dataset(parts, own), self.batch_size, shuffle=True)
            criterion = self.criterion or loss
            kind = Trainer if weight is None else WeightedTrainer
            trainer = kind(
                self.module_, self._optimizer,
                criterion if weight is None else of_each(criterion),
                max_epochs=1 if partly else self.max_epochs, callbacks=callbacks,
            )  # fmt: skip
            self.history_ = [*self.history_, *trainer.fit(loader, val)]
        self.n_iter_ += trainer.current_epoch
        self.module_.eval()

    def _weights(self, X: Any, sample_weight: Any) -> Any:
        """The weights of samples as an array; None for equal ones. ValueError for others."""
        if sample_weight is None:
            return None
        weight = _validation._check_sample_weight(sample_weight, X, dtype=X.dtype)
        if (weight < 0).any() or not weight.sum() > 0:
            raise ValueError(
                "sample_weight has negative numbers or none above zero; needed: weights of 0 or "
                "more, some of them positive"
            )
        return weight

    def _held_out(self, parts: list[np.ndarray], seed: int) -> tuple[list, list]:
        """Samples to train on and to validate with: one of several folds, with all classes."""
        X, y = parts[:2]
        if not 0 < self.validation_fraction < 1 or len(X) < 2:
            raise ValueError(
                f"validation_fraction is {self.validation_fraction} of {len(X)} samples; needed: a "
                "fraction between 0 and 1, and two samples at least"
            )
        n_folds = min(max(2, round(1 / self.validation_fraction)), len(X))
        classes = y.ndim == 1 and np.bincount(y).min() >= n_folds
        folds = (StratifiedKFold if classes else KFold)(n_folds, shuffle=True, random_state=seed)
        train, test = next(folds.split(X, y))
        return [part[train] for part in parts], [part[test] for part in parts]

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
    `classes_`. Arguments: see the base class; `class_weight`: None, "balanced" or a dictionary of
    weights by class, which multiply those of samples.
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
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            module, hidden_layer_sizes=hidden_layer_sizes, criterion=criterion,
            optimizer=optimizer, lr=lr, weight_decay=weight_decay, max_epochs=max_epochs,
            batch_size=batch_size, early_stopping=early_stopping,
            validation_fraction=validation_fraction, n_iter_no_change=n_iter_no_change, tol=tol,
            callbacks=callbacks, random_state=random_state,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Classifier:
        """Trains a new network: X (samples, features), y (samples), weights (samples)."""
        X, y = _validation.validate_data(self, X, y, dtype=_TYPES)
        _multiclass.check_classification_targets(y)
        self.classes_ = np.unique(y)
        return self._learn(X, y, sample_weight, False)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Classifier:
        """One epoch more, or the first, which has to be told all `classes` that will come."""
        first = _multiclass._check_partial_fit_first_call(self, classes)
        X, y = _validation.validate_data(self, X, y, dtype=_TYPES, reset=first)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has {unknown.tolist()}; `classes` are {self.classes_.tolist()}")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' was given to partial_fit, which does not see all samples; "
                "needed: weights by class"
            )
        return self._learn(X, y, sample_weight, True)

    def _learn(self, X: Any, y: Any, sample_weight: Any, partly: bool) -> Classifier:
        weight = self._weights(X, sample_weight)
        if self.class_weight is not None:
            each = _class_weight.compute_sample_weight(self.class_weight, y).astype(X.dtype)
            weight = each if weight is None else weight * each
        numbers = np.searchsorted(self.classes_, y).astype(np.int64)
        count, loss = len(self.classes_), nn.CrossEntropyLoss()
        self._train(X, numbers, count, loss, weight, partly)
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """Trains a new network: X (samples, features), y (samples) or (samples, outputs)."""
        return self._learn(X, y, sample_weight, False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Regressor:
        """One epoch more, or the first."""
        return self._learn(X, y, sample_weight, True)

    def _learn(self, X: Any, y: Any, sample_weight: Any, partly: bool) -> Regressor:
        X, y = _validation.validate_data(
            self, X, y, dtype=_TYPES, multi_output=True, y_numeric=True,
            reset=not (partly and hasattr(self, "module_")),
        )  # fmt: skip
        self._flat = y.ndim == 1
        targets = np.asarray(y, X.dtype).reshape(len(X), -1)
        weight = self._weights(X, sample_weight)
        self._train(X, targets, targets.shape[1], nn.MSELoss(), weight, partly)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(samples) or (samples, outputs), as the targets were."""
        outputs = self._outputs(X).numpy()
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
