"""Datasets that several tests load; what workers started by `spawn` must be able to import."""

from __future__ import annotations

from typing import Any

import numpy as np

import minigrad as mg
from minigrad.utils import data


class Squares(data.Dataset):
    """Sample i is (i, i squared)."""

    def __init__(self, n: int = 10):
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple:
        return i, float(i * i)


class Failing(Squares):
    def __getitem__(self, i: int) -> tuple:
        if i == 5:
            raise KeyError("sample five")
        return super().__getitem__(i)


class Stream(data.IterableDataset):
    """0 … n-1, shared out among the workers."""

    def __init__(self, n: int):
        self.n = n

    def __iter__(self) -> Any:
        info = data.get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.n, step))


class SizedStream(Stream):
    def __len__(self) -> int:
        return self.n


def keep(batch: Any) -> Any:
    return batch


def tensors(n: int = 10) -> tuple:
    x = np.arange(3.0 * n, dtype=np.float32).reshape(n, 3)
    return mg.tensor(x), mg.tensor(np.arange(n))


def lists(batches: Any) -> list:
    """Batches as nested lists."""
    return [[t.numpy().tolist() if hasattr(t, "numpy") else t for t in batch] for batch in batches]


def tell(worker_id: int) -> None:
    """Checks that the worker knows its number."""
    assert data.get_worker_info().id == worker_id
