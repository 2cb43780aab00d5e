"""Sums, means and maxima of the rows of a table, bag by bag: `embedding_bag`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.row_grads import goes_to_leaf, row_grad
from ..autograd.variable import Node, Variable
from ..kernels import cpu, sparse
from ._nn import need_tensor, torch_name
from ._operands import to_dtype
from .arith import div, mul
from .embeddings import embedding, renormalize
from .movement import reshape, unsqueeze
from .reduce import sum
from .scattering import gather, index_select

__all__ = ["embedding_bag"]


class BagSum(Node):
    """Rows (N, d) added up by the number of their bag: (bags, d)."""

    fresh = True

    def forward(self, rows: Any, bag: Any, bags: int) -> Any:
        self.bag = bag
        return cpu.embedding_backward(rows, bag, bags)

    def backward(self, grad: Any) -> Any:
        """For each row the grad of its bag."""
        return embedding(self.bag if isinstance(grad, np.ndarray) else _v.wrap(self.bag), grad)


class Bags(Node):
    """The sums or means of a table's rows, bag by bag: what `sparse.bag_sums` has computed.

    `values` are the samples' constant weights, or None. The table itself is not kept: it may be
    written to before backward.
    """

    fresh = True

    def forward(
        self, table: Any, out: Any, ids: Any, bounds: Any, values: Any, mean: bool, sparse: bool
    ) -> Any:
        self.ids, self.bounds, self.rows, self.mean = ids, bounds, len(table), mean
        self.sparse = sparse
        self.values = None if values is None else values.copy()
        return out

    def backward(self, grad: Any) -> Any:
        """grad of its bag for each row, times the row's weight."""
        values = self.values
        bag = _bag_of(self.bounds)
        if values is None:
            dtype = grad.dtype if isinstance(grad, np.ndarray) else grad._array.dtype
            values = np.ones(len(bag), dtype, like=bag)
            if self.mean:
                values = (1 / np.maximum(np.diff(self.bounds), 1)).astype(dtype)[bag]
        if self.sparse and goes_to_leaf(self):
            return _taken_rows(grad, self.ids, bag, values, self.rows)
        if isinstance(grad, Variable):
            return _spread(grad, self.ids, bag, _v.wrap(values), self.rows)
        return sparse.sparse_product(self.ids, bag, values, grad, self.rows)

    def name(self) -> str:
        return "EmbeddingBagBackward0"


class WeightedBags(Node):
    """`Bags` of sums with weights of the samples that have gradients too."""

    saves = (0, 1)
    fresh = True

    def forward(
        self, table: Any, samples: Any, out: Any, ids: Any, bounds: Any, sparse: bool
    ) -> Any:
        self.ids, self.bounds, self.sparse = ids, bounds, sparse
        return out

    def backward(self, grad: Any) -> tuple:
        """grad of its bag for each row, times the row's weight; and grad . row for the weight."""
        table, samples = self.saved
        ids, bag = self.ids, _bag_of(self.bounds)
        a, b = self.next
        first = None
        if a and self.sparse and goes_to_leaf(self):
            first = _taken_rows(grad, ids, bag, samples, table.shape[0])
        if isinstance(grad, Variable):
            given, taken = embedding(_v.wrap(bag), grad), embedding(_v.wrap(ids), table)
            if a and first is None:
                first = _spread(grad, ids, bag, samples, table._array.shape[0])
            return first, sum(mul(given, taken), 1) if b else None
        if a and first is None:
            first = sparse.sparse_product(ids, bag, samples, grad, len(table))
        return first, sparse.sampled(bag, ids, grad, table) if b else None

    def name(self) -> str:
        return "EmbeddingBagBackward0"


def _spread(grad: Any, ids: Any, bag: Any, values: Any, rows: int) -> Any:
    """The table's gradient (rows, d) in differentiable operations."""
    given = mul(embedding(_v.wrap(bag), grad), unsqueeze(values, 1))
    return apply(BagSum, (given,), ids, rows)


def _taken_rows(grad: Any, ids: Any, bag: Any, values: Any, rows: int) -> Any:
    """The table's gradient as the rows that were taken: grad of the bag times the row's weight."""
    shape = (rows, grad.shape[1])
    if isinstance(grad, Variable):
        factors = values if isinstance(values, Variable) else _v.wrap(values)
        return row_grad(ids, mul(embedding(_v.wrap(bag), grad), unsqueeze(factors, 1)), shape)
    return row_grad(ids, grad[bag] * values[:, None], shape)


def _bag_of(bounds: Any) -> Any:
    """The number of the bag of each sample."""
    return np.repeat(np.arange(len(bounds) - 1, like=bounds), np.diff(bounds))


def _check_types(ids: Any, offsets: Any, weight: Any, per_sample: Any) -> None:
    for name, x in (("indices", ids), ("offsets", offsets)):
        if x.dtype not in (np.int32, np.int64):
            raise RuntimeError(
                f"Expected tensor for argument #1 '{name}' to have one of the following scalar "
                f"types: Long, Int; but got torch.{torch_name(x)}Tensor instead (while checking "
                "arguments for embedding_bag)"
            )
    if weight.dtype.kind not in "fV":
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: "
            f"Half, BFloat16, Float, Double; but got torch.{torch_name(weight)}Tensor instead "
            "(while checking arguments for embedding_bag)"
        )
    if per_sample is not None and per_sample.dtype != weight.dtype:
        raise RuntimeError(
            f"expected per_sample_weights of type {torch_name(weight)}, as the weight, but got "
            f"{torch_name(per_sample)}"
        )


def _bounds(offsets: Any, count: int, last: bool) -> Any:
    """Where each bag starts, and where the last one ends. RuntimeError for what cannot be."""
    if last and not len(offsets):
        raise RuntimeError("include_last_offset: number of offsets should be at least 1")
    if len(offsets) and offsets[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {offsets[0]}"
        )
    if len(offsets) and offsets[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of "
            f"{offsets[-1]}"
        )
    return offsets.astype(np.int64) if last else np.append(offsets, count).astype(np.int64)


def _raise_outside(ids: Any, bounds: Any, rows: int) -> None:
    """RuntimeError for offsets that fall and numbers that no row has, which kernels have met."""
    if (bounds[1:] < bounds[:-1]).any():  # PyTorch reads memory that is not there
        raise RuntimeError(f"offsets must not fall, but bags start and end at {bounds.tolist()}")
    outside = (ids < 0) | (ids >= rows)
    if outside.any():
        at = int(outside.argmax())
        raise RuntimeError(
            f"Index {at} of input takes value {ids[at]} which is not in the valid range [0, {rows})"
        )


def _maxima(rows: Any, bag: Any, bags: int) -> Any:
    """The largest row elements of each bag, the first of equal ones; 0 for an empty bag."""
    counts = np.bincount(bag, minlength=bags)
    if not len(bag):
        return _v.wrap(np.zeros((bags, rows.shape[1]), rows._array.dtype, like=bag))
    starts = np.cumsum(counts) - counts
    step = np.arange(int(counts.max()), like=bag)
    position = np.minimum(starts[:, None] + step, len(bag) - 1)  # (bags, longest)
    values = rows._array[position]
    values[step >= counts[:, None]] = -np.inf
    chosen = np.take_along_axis(position, values.argmax(1), 1) if bags else position[:, :0]
    best = gather(rows, 0, _v.wrap(chosen))
    if counts.all():
        return best
    return mul(best, _v.wrap((counts > 0)[:, None].astype(rows._array.dtype)))


def _flat(input: Any, offsets: Any, per_sample: Any) -> tuple[Any, Any, Any]:
    """Ids, starts of bags and weights of samples as vectors. ValueError for other shapes."""
    ids = input._array
    if ids.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        if not ids.shape[1]:
            raise RuntimeError("step must be nonzero")
        starts = np.arange(ids.shape[0], dtype=ids.dtype, like=ids) * ids.shape[1]
        flat = None if per_sample is None else reshape(per_sample, (ids.size,))
        return ids.reshape(-1), starts, flat
    if ids.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {ids.ndim}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets._array.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    return ids, offsets._array, per_sample


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The sum, mean or maximum (`mode`) of the rows of `weight` (n, d) in each bag: (bags, d).

    `input` (bags, N) holds the numbers of the rows of each bag; or (M,), with `offsets` (bags,)
    telling where each bag starts. Rows numbered `padding_idx` do not count. `per_sample_weights`,
    of the input's shape, scale the rows of a sum. ValueError or RuntimeError for arguments that do
    not fit together. `sparse`: the gradient of a leaf is a sparse tensor.
    """
    table = need_tensor("embedding_bag", "weight", weight)
    if table.dtype == np.int64 and need_tensor("embedding_bag", "input", input).dtype.kind == "f":
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        input, weight, table = weight, input, input._array
    given = need_tensor("embedding_bag", "input", input)
    if per_sample_weights is not None and given.shape != per_sample_weights._array.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if table.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {table.ndim}")
    ids, starts, samples = _flat(input, offsets, per_sample_weights)
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if max_norm is not None:
        renormalize(weight, ids, max_norm, norm_type)
    if samples is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    _check_types(ids, starts, table, None if samples is None else samples._array)
    bounds = _bounds(starts, len(ids), include_last_offset and given.ndim == 1)
    try:
        form = (mode, scale_grad_by_freq, sparse)
        return _reduced(weight, ids, bounds, samples, form, padding_idx)
    except (IndexError, ValueError):
        _raise_outside(ids, bounds, len(table))
        raise


def _reduced(
    weight: Any, ids: Any, bounds: Any, samples: Any, form: tuple, padding: int | None
) -> Any:
    """`embedding_bag` of checked arguments: bag b holds ids[bounds[b] : bounds[b + 1]]."""
    mode, by_freq, as_sparse = form
    table = weight._array
    bags = len(bounds) - 1
    if padding is not None and not -len(table) <= padding < len(table):
        raise RuntimeError("padding_idx must be within the number of embeddings")
    used = int(bounds[-1]) if bags else 0
    ids = ids[:used]
    if samples is not None and used < samples._array.size:
        samples = samples[:used]
    if padding is not None:
        keep = np.flatnonzero(ids != padding % len(table))
        ids, bounds = ids[keep], np.searchsorted(keep, bounds)
        if samples is not None:
            samples = index_select(samples, 0, _v.wrap(keep))
    if bags and mode != "max" and not by_freq and table.dtype in (np.float32, np.float64):
        ids = ids.astype(np.int64)  # a copy: backward reads them
        values = None if samples is None else samples._array
        out = sparse.bag_sums(ids, bounds, values, table, mode == "mean")
        if out is not None:
            if samples is not None and samples._fn is not None:
                return apply(WeightedBags, (weight, samples), out, ids, bounds, as_sparse)
            return apply(Bags, (weight,), out, ids, bounds, values, mode == "mean", as_sparse)
    return _composed(weight, ids, _bag_of(bounds), bags, samples, form)


def _composed(weight: Any, ids: Any, bag: Any, bags: int, samples: Any, form: tuple) -> Any:
    """`embedding_bag` of the samples that count, in differentiable operations."""
    mode, by_freq, as_sparse = form
    dtype = weight._array.dtype
    rows = embedding(_v.wrap(ids), weight, scale_grad_by_freq=by_freq, sparse=as_sparse)
    if mode == "max":
        return _maxima(rows, bag, bags)
    if samples is not None:
        if dtype.itemsize == 2:  # the products are added up before they are rounded
            rows, samples = (to_dtype(x, np.dtype(np.float32)) for x in (rows, samples))
        rows = mul(rows, unsqueeze(samples, 1))
    total = apply(BagSum, (rows,), bag, bags)
    if mode == "sum":
        return to_dtype(total, dtype) if total._array.dtype != dtype else total
    counts = np.maximum(np.bincount(bag, minlength=bags), 1)
    return div(total, _v.wrap(counts[:, None].astype(dtype)))
