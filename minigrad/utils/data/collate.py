"""Making batches of samples: tensors are stacked, numbers become tensors, containers are kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ... import dtypes, ops
from ...autograd import variable as _v
from ...autograd.variable import Variable
from ...creation import as_tensor, tensor
from .dataset import Samples


def default_convert(data: Any) -> Any:
    """NumPy arrays and numbers as tensors, inside containers too; the rest as it is."""
    if isinstance(data, Variable):
        return data
    if isinstance(data, (np.ndarray, np.generic)) and type(data).__module__ == "numpy":
        return data if data.dtype.kind in "SUO" else as_tensor(data)  # no masked arrays
    if isinstance(data, Mapping):
        return _mapping(data, {k: default_convert(v) for k, v in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*[default_convert(d) for d in data])
    if isinstance(data, tuple):
        return [default_convert(d) for d in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _sequence(data, [default_convert(d) for d in data])
    return data


def default_collate(batch: Any) -> Any:
    """A batch of a list of samples: each tensor, number or array gets a first dimension.

    Tuples become lists; dicts, named tuples and lists are kept; strings are only listed. TypeError
    for other types, RuntimeError for samples that differ in size.
    """
    if batch.__class__ is Samples:
        return batch.batch
    first = batch[0]
    if isinstance(first, (str, bytes)):  # NumPy's too
        return batch
    if isinstance(first, Variable):
        return _stack(batch)
    if isinstance(first, np.ndarray) and first.ndim:
        if first.dtype.kind in "SUO":
            raise _unknown(first.dtype)
        return _stack([as_tensor(b) for b in batch])
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind in "SUO":
            raise _unknown(first.dtype)
        return as_tensor(np.asarray(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=dtypes.float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, Mapping):
        return _mapping(first, {k: default_collate([d[k] for d in batch]) for k in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*[default_collate(samples) for samples in zip(*batch)])
    if isinstance(first, Sequence):
        size = len(first)
        if not all(len(sample) == size for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(samples) for samples in zip(*batch)]
        return columns if isinstance(first, tuple) else _sequence(first, columns)
    raise _unknown(type(first))


def _stack(batch: Sequence) -> Any:
    try:
        arrays = [t._array for t in batch]
    except AttributeError:
        kinds = ", ".join(sorted({type(t).__name__ for t in batch}))
        raise TypeError(f"default_collate: found {kinds} in one batch; needed: tensors") from None
    first = arrays[0]
    if first.flags.c_contiguous and all(
        a.shape == first.shape and a.dtype is first.dtype and t._fn is None
        for a, t in zip(arrays, batch)
    ):
        out = np.empty((len(arrays), *first.shape), first.dtype)
        for i, array in enumerate(arrays):
            out[i] = array
        return _v.wrap(out)
    return ops.stack(list(batch))


def _mapping(like: Mapping, values: dict) -> Any:
    """`values` in a mapping of the kind of `like`; a dict if it cannot be made."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy.copy(like)
            clone.update(values)
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def _sequence(like: Sequence, values: list) -> Any:
    """`values` in a sequence of the kind of `like`; a list if it cannot be made."""
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(like)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def _unknown(kind: Any) -> TypeError:
    return TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {kind}"
    )
