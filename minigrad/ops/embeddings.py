"""Rows of a table by number, and one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import inplace
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.row_grads import goes_to_leaf, row_grad
from ..autograd.variable import Node, Variable
from ..backend import on_gpu
from ..kernels import cpu, places
from ._nn import need_tensor, torch_name

__all__ = ["embedding", "one_hot"]


class Embedding(Node):
    """weight[ids]."""

    fresh = True

    def forward(self, weight: Any, ids: Any, padding_idx: int, by_frequency: bool) -> Any:
        self.ids, self.rows = ids, weight.shape[0]
        self.padding_idx, self.by_frequency = padding_idx, by_frequency
        return cpu.embedding(weight, ids)

    def backward(self, grad: Any) -> Any:
        """For each row the sum of grad where it was taken; none for the padding row."""
        return apply(EmbeddingBackward, (grad,), self)


class SparseEmbedding(Embedding):
    """`Embedding` whose gradient holds the rows that were taken, if it is that of a leaf."""

    def backward(self, grad: Any) -> Any:
        """grad's rows where they were taken, those of the padding row left out."""
        if self.by_frequency:
            raise RuntimeError(
                "embedding_backward: scale_grad_by_freq not supported with sparse gradients"
            )
        if not goes_to_leaf(self):
            return super().backward(grad)
        ids, width = self.ids.reshape(-1), grad.shape[-1]
        values = grad.reshape(ids.size, width)
        if self.padding_idx >= 0:
            kept = np.flatnonzero(ids != self.padding_idx)
            ids = ids[kept]
            values = values[kept if isinstance(values, np.ndarray) else _v.wrap(kept)]
        return row_grad(ids, values, (self.rows, width))

    def name(self) -> str:
        return "EmbeddingBackward0"


class EmbeddingBackward(Node):
    """The transpose of `Embedding`."""

    fresh = True

    def forward(self, grad: Any, taken: Embedding) -> Any:
        self.taken = taken
        return cpu.embedding_backward(
            grad, taken.ids, taken.rows, taken.padding_idx, taken.by_frequency
        )

    def backward(self, grad: Any) -> Any:
        """grad's rows, each weighted as its part in the sum was (0 for padding)."""
        return apply(WeightedRows, (grad,), self.taken)

    def name(self) -> str:
        return "EmbeddingDenseBackwardBackward0"


class WeightedRows(Node):
    """weight[ids] with each row times its factor in `EmbeddingBackward`'s sum."""

    fresh = True

    def forward(self, weight: Any, taken: Embedding) -> Any:
        self.taken = taken
        return cpu.embedding(weight, taken.ids) * self.factors(weight.dtype)

    def backward(self, grad: Any) -> Any:
        """The transpose, which is `EmbeddingBackward`."""
        return apply(EmbeddingBackward, (grad,), self.taken)

    def factors(self, dtype: np.dtype) -> Any:
        taken = self.taken
        factors = (taken.ids != taken.padding_idx).astype(np.float32)
        if taken.by_frequency:
            factors /= np.bincount(taken.ids.reshape(-1), minlength=1)[taken.ids]
        return factors[..., None].astype(dtype)


def _check_ids(ids: Any, rows: int) -> None:
    if ids.dtype.kind != "i" or ids.dtype.itemsize not in (4, 8):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{torch_name(ids)}Tensor instead (while checking arguments "
            "for embedding)"
        )
    if on_gpu(ids):  # looking here would wait for it
        ids.watch(0, rows)
    elif ids.size and (ids.min() < 0 or ids.max() >= rows):
        raise IndexError("index out of range in self")


def renormalize(weight: Any, ids: Any, max_norm: float, norm_type: float) -> None:
    """Shortens, in place, the rows that are taken to a norm of at most `max_norm`."""
    table = weight._array
    if table.dtype.kind not in "fV":
        raise RuntimeError(
            "norm(): input dtype should be either floating point or complex. Got "
            f"{torch_name(table)} instead."
        )
    rows = np.unique(ids)
    taken = table[rows].astype(np.float64)
    size = np.linalg.norm(taken, ord=norm_type, axis=1, keepdims=True)
    long = size[:, 0] > max_norm
    if long.any():
        # 1e-7 keeps the shortened row within the bound after rounding, as PyTorch.
        table[rows[long]] = (taken[long] * (max_norm / (size[long] + 1e-7))).astype(table.dtype)
        inplace.bump(weight)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of `weight` (n, d) numbered by `input`: shape (*input.shape, d).

    The row `padding_idx` gets no gradient. `max_norm` first shortens, in place, the rows taken.
    `sparse`: the gradient of a leaf is a sparse tensor. IndexError for a number out of range;
    RuntimeError for indices that are not int32 or int64.
    """
    if (padding_idx is None or padding_idx >= 0) and max_norm is None and not sparse:
        padding = -1 if padding_idx is None else padding_idx
        result = places.fast_embedding(Embedding, weight, input, padding, scale_grad_by_freq)
        if result is not None:
            return result
    table = need_tensor("embedding", "weight", weight)
    ids = need_tensor("embedding", "indices", input)
    if table.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = table.shape[0]
    if padding_idx is None:
        padding_idx = -1
    elif not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    elif padding_idx < 0:
        padding_idx += rows
    _check_ids(ids, rows)
    if max_norm is not None:
        renormalize(weight, ids, max_norm, norm_type)
    if isinstance(input, Variable):
        ids = ids.copy()  # backward reads them: a later write to the input must not change them
    node = SparseEmbedding if sparse else Embedding
    return apply(node, (weight,), ids, padding_idx, scale_grad_by_freq)


def one_hot(input: Any, num_classes: int = -1) -> Any:
    """int64 vectors of `num_classes` elements: 1 at each number in `input`, else 0.

    -1 classes: one more than the largest number. RuntimeError for other dtypes than int64 and for
    numbers out of range.
    """
    x = need_tensor("one_hot", "input", input)
    if x.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if not x.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return _v.wrap(np.zeros((*x.shape, num_classes), np.int64, like=x))
    if num_classes == -1 or not places.all_between(x, 0, num_classes):
        if x.min() < 0:
            raise RuntimeError("Class values must be non-negative.")
        if num_classes == -1:
            num_classes = int(x.max()) + 1
        elif num_classes <= x.max():
            raise RuntimeError("Class values must be smaller than num_classes.")
    one = np.ones((), np.int64, like=x)
    hot = cpu.scatter((x.size, num_classes), 1, x.reshape(-1, 1), one, False)
    return _v.wrap(hot.reshape(*x.shape, num_classes))
