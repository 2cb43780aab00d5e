"""Cross validation: folds, also with equal shares of classes, and a trainer for each of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..random import randint
from ..tensor import Tensor
from ..utils.data import DataLoader, Subset, TensorDataset
from .trainer import Trainer


def _array(values: Any) -> np.ndarray:
    return values.detach().numpy() if isinstance(values, Tensor) else np.asarray(values)


class KFold:
    """`for train, test in KFold(5).split(data)`: index arrays; each sample is in one test part.

    Folds are runs of neighbours unless `shuffle`; `random_state` is a seed (None: drawn from
    minigrad's global generator). Splits are those of scikit-learn for the same arguments.
    ValueError for fewer than 2 folds, a seed without shuffle, more folds than samples.
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | None = None
    ) -> None:
        name = type(self).__name__
        if n_splits < 2:
            raise ValueError(f"{name}: n_splits is {n_splits}; needed: 2 or more")
        if random_state is not None and not shuffle:
            raise ValueError(f"{name}: given random_state and shuffle=False; needed: shuffle=True")
        self.n_splits, self.shuffle, self.random_state = n_splits, shuffle, random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(training indices, test indices) for each fold; only the length of X counts."""
        n = len(X)
        if n < self.n_splits:
            raise ValueError(
                f"{type(self).__name__}: given {n} samples for {self.n_splits} folds; needed: as "
                "many samples as folds"
            )
        fold_of = self._fold_of(n, y)
        indices = np.arange(n)
        for fold in range(self.n_splits):
            test = fold_of == fold
            yield indices[~test], indices[test]

    def _random(self) -> np.random.RandomState | None:
        if not self.shuffle:
            return None
        seed = int(randint(0, 2**32, ()).item()) if self.random_state is None else self.random_state
        return np.random.RandomState(seed)

    def _fold_of(self, n: int, y: Any) -> np.ndarray:
        """The number of each sample's fold."""
        order = np.arange(n)
        if (rng := self._random()) is not None:
            rng.shuffle(order)
        sizes = [n // self.n_splits + (i < n % self.n_splits) for i in range(self.n_splits)]
        fold_of = np.empty(n, np.int64)
        fold_of[order] = np.repeat(np.arange(self.n_splits), sizes)
        return fold_of


class StratifiedKFold(KFold):
    """Folds that hold the classes `y` in equal shares. UserWarning: a class has too few samples."""

    def _fold_of(self, n: int, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError("StratifiedKFold.split: given no y; needed: the class of each sample")
        labels = _array(y).ravel()
        if len(labels) != n:
            raise ValueError(
                f"StratifiedKFold.split: given {n} samples and {len(labels)} classes; needed: as "
                "many"
            )
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first))[inverse]  # classes in the order they appear
        counts = np.bincount(number)
        if self.n_splits > counts.max():
            raise ValueError(
                f"StratifiedKFold: n_splits is {self.n_splits}, and no class has more than "
                f"{counts.max()} samples; needed: at most that many folds"
            )
        if self.n_splits > counts.min():
            warnings.warn(
                f"the rarest class has {counts.min()} samples, fewer than {self.n_splits} folds",
                stacklevel=3,
            )
        # Dealing the sorted classes out like cards says how many of each class a fold gets.
        dealt = np.sort(number)
        shares = [
            np.bincount(dealt[i :: self.n_splits], minlength=len(counts))
            for i in range(self.n_splits)
        ]
        rng, fold_of = self._random(), np.empty(n, np.int64)
        for k in range(len(counts)):
            folds = np.repeat(np.arange(self.n_splits), [share[k] for share in shares])
            if rng is not None:
                rng.shuffle(folds)
            fold_of[number == k] = folds
        return fold_of


def cross_validate(
    make_trainer: Callable[[int], Trainer],
    dataset: Any,
    cv: int | KFold = 5,
    y: Any = None,
    *,
    batch_size: int = 32,
    **loader_options: Any,
) -> dict[str, np.ndarray]:
    """Trains `make_trainer(fold)` on each fold and returns its validation metrics: (folds,) each.

    `cv`: the number of folds (stratified if `y`, the classes, is given), or the folds. The
    trainer's model must be new each time. Other options are the DataLoaders'; training data are
    shuffled. Metrics are those of the model that `fit` leaves (its best, with `EarlyStopping`).
    """
    folds = cv
    if isinstance(folds, int):
        folds = KFold(folds) if y is None else StratifiedKFold(folds)
    rows = []
    for i, (train, test) in enumerate(folds.split(dataset, y)):
        trainer = make_trainer(i)
        parts = [_subset(dataset, indices) for indices in (train, test)]
        train_loader: Any = DataLoader(parts[0], batch_size, shuffle=True, **loader_options)
        val_loader: Any = DataLoader(parts[1], batch_size, **loader_options)
        trainer.fit(train_loader, val_loader)
        rows.append(trainer.validate(val_loader))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _subset(dataset: Any, indices: np.ndarray) -> Any:
    """The samples at some indices; tensors are copied, which makes their loading fast."""
    if type(dataset) is TensorDataset:
        return TensorDataset(*[t[Tensor(indices).long()] for t in dataset.tensors])
    return Subset(dataset, indices.tolist())
