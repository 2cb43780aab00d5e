"""Sets of channels that can only be removed together, while they are found (union-find)."""

from __future__ import annotations

import numpy as np


def compact(ids: np.ndarray) -> np.ndarray:
    """`ids` with every dimension along which it is only repeated (stride 0) cut to one."""
    return ids[tuple(slice(0, 1) if s == 0 else slice(None) for s in ids.strides)]


def constant_along(ids: np.ndarray, dims: tuple[int, ...]) -> bool:
    """Whether the labels do not change along `dims`."""
    small = compact(ids)
    first = small[tuple(slice(0, 1) if d in dims else slice(None) for d in range(ids.ndim))]
    return bool((small == first).all())


def varying(ids: np.ndarray) -> list[int]:
    """The dimensions along which labels change."""
    return [d for d in range(ids.ndim) if not constant_along(ids, (d,))]


class Channels:
    """Labels of channels: numbers from 1 on (0: no channel), which are joined and pinned.

    Channels that are joined are removed together or not at all; pinned ones stay, for a reason.
    """

    def __init__(self) -> None:
        self.parent = [0]
        self.reasons: dict[int, str] = {}

    def new(self, count: int) -> np.ndarray:
        """Labels for a dimension of `count`; a single channel has none, since it has to stay."""
        if count < 2:
            return np.zeros(count, dtype=np.int64)
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        return np.arange(start, start + count)

    def roots(self) -> np.ndarray:
        """For each label the one that stands for its set."""
        found = np.array(self.parent)
        while True:
            above = found[found]
            if (above == found).all():
                return found
            found = above

    def _root(self, label: int) -> int:
        root = label
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[label] != root:
            self.parent[label], label = root, self.parent[label]
        return root

    def join(self, a: np.ndarray, b: np.ndarray) -> None:
        """Joins a[i] with b[i] for all i; where only one is a channel, that one is pinned."""
        a, b = np.broadcast_arrays(a, b)
        for x, y in set(zip(a.reshape(-1).tolist(), b.reshape(-1).tolist())):
            if x and y:
                self._join(x, y)
            elif x or y:
                self.pin(np.array([x or y]), "meets values that belong to no traced channel")

    def _join(self, x: int, y: int) -> None:
        a, b = self._root(x), self._root(y)
        if a == b:
            return
        low, high = min(a, b), max(a, b)
        self.parent[high] = low
        if high in self.reasons:
            self.reasons.setdefault(low, self.reasons.pop(high))

    def pin(self, ids: np.ndarray, reason: str) -> None:
        """Says that channels have to stay. The first reason is kept."""
        for label in set(compact(ids).reshape(-1).tolist()) - {0}:
            self.reasons.setdefault(self._root(label), reason)

    def lanes(self, ids: np.ndarray, dim: int) -> np.ndarray:
        """One label for each index along `dim`, joining those that an index has elsewhere."""
        small = np.moveaxis(compact(ids), dim, 0)
        rows = small.reshape(len(small), -1)
        low, high = rows.min(axis=1, initial=1 << 62), rows.max(axis=1, initial=0)
        low = np.minimum(low, high)
        for i in np.flatnonzero(low != high).tolist():
            labels = np.unique(rows[i])
            if labels[0] == 0:
                self.pin(labels, "shares an index with values that belong to no channel")
            known = labels[labels != 0]
            self.join(known[:-1], known[1:])
        return np.broadcast_to(high, (ids.shape[dim],))

    def together(self, parts: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """The labels of an elementwise result of operands with labels `parts`."""
        result = np.broadcast_to(np.zeros((), np.int64), shape)
        for number, part in enumerate(parts):
            wide = np.broadcast_to(part, shape)
            if number:
                # A side without labels may be broadcast along the channels, but not have its own.
                self._need_broadcast(result, wide, parts[number])
                for before in parts[:number]:
                    self._need_broadcast(wide, result, before)
            result = self._merged(result, wide)
        return result

    def _need_broadcast(self, labelled: np.ndarray, other: np.ndarray, part: np.ndarray) -> None:
        lead = labelled.ndim - part.ndim
        if any(d >= lead and part.shape[d - lead] > 1 for d in varying(labelled)):
            a, b = _cut(labelled, other)
            self.pin(a[(a != 0) & (b == 0)], "meets values that belong to no traced channel")

    def _merged(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shape = a.shape
        a, b = _cut(a, b)
        both = (a != 0) & (b != 0) & (a != b)
        if both.any():
            self.join(a[both], b[both])
        return np.broadcast_to(np.where(a != 0, a, b), shape)


def _cut(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one shape, cut to one along dimensions that both only repeat."""
    part = tuple(slice(0, 1) if s == t == 0 else slice(None) for s, t in zip(a.strides, b.strides))
    return a[part], b[part]
