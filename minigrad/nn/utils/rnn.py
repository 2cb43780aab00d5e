"""Sequences of different lengths: packed for recurrent layers, or padded to one length."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ... import dtypes, ops
from ...autograd import variable as _v
from ...autograd.variable import Variable
from ...creation import as_tensor, full

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Fields):
    """Sequences step after step: `batch_sizes[t]` rows of `data` are the elements of step t.

    The longest sequence comes first; `sorted_indices` says which one was given at each place, and
    `unsorted_indices` is its inverse. Made by `pack_padded_sequence` and `pack_sequence`.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """`data.to(...)` in a new packed sequence, or this one if that changes nothing."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """This packed sequence, which is on the CPU."""
        return self.to("cpu", *args, **kwargs)

    def double(self) -> PackedSequence:
        """`data` in float64."""
        return self.to(dtypes.float64)

    def float(self) -> PackedSequence:
        """`data` in float32."""
        return self.to(dtypes.float32)

    def half(self) -> PackedSequence:
        """`data` in float16."""
        return self.to(dtypes.float16)

    def long(self) -> PackedSequence:
        """`data` in int64."""
        return self.to(dtypes.int64)

    def int(self) -> PackedSequence:
        """`data` in int32."""
        return self.to(dtypes.int32)

    def short(self) -> PackedSequence:
        """`data` in int16."""
        return self.to(dtypes.int16)

    def char(self) -> PackedSequence:
        """`data` in int8."""
        return self.to(dtypes.int8)

    def byte(self) -> PackedSequence:
        """`data` in uint8."""
        return self.to(dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether `data` is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether `data` is in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Any) -> Any:
    """The inverse of a permutation (n,) of integers; None stays None."""
    if permutation is None:
        return None
    return _v.wrap(np.argsort(permutation.numpy()).astype(permutation.numpy().dtype))


def _batch_sizes(lengths: Any) -> Any:
    """How many sequences reach each step, for lengths in decreasing order."""
    return (lengths[:, None] > np.arange(lengths[0])).sum(0)


def _places(sizes: Any, steps: int, batch: int, batch_first: bool) -> Any:
    """Where the rows of a packed sequence lie among those of the padded one, as an index."""
    step = np.repeat(np.arange(len(sizes)), sizes)
    member = np.concatenate([np.arange(n) for n in sizes])
    return _v.wrap(member * steps + step if batch_first else step * batch + member)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The first `lengths[b]` steps of each sequence of `input` (T, B, ...), packed.

    `batch_first`: input is (B, T, ...). Unless `enforce_sorted`, which demands lengths in
    decreasing order, sequences are sorted here. RuntimeError for lengths that do not fit.
    """
    given = lengths.numpy() if isinstance(lengths, Variable) else np.asarray(lengths)
    counts = given.astype(np.int64)
    order = None
    if not enforce_sorted:
        sort = np.argsort(-counts, kind="stable")
        counts, order = counts[sort], _v.wrap(sort)
        input = ops.index_select(input, 0 if batch_first else 1, order)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if counts.ndim != 1:
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{counts.ndim}D cpu Long tensor"
        )
    batch, steps = input.size(0 if batch_first else 1), input.size(1 if batch_first else 0)
    _check_lengths(counts, batch, steps)
    sizes = _batch_sizes(counts)
    rows = input.reshape(steps * batch, *input.shape[2:])
    data = ops.index_select(rows, 0, _places(sizes, steps, batch, batch_first))
    return PackedSequence(data, _v.wrap(sizes), order, None)


def _check_lengths(counts: Any, batch: int, steps: int) -> None:
    if len(counts) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} "
            f"(batch_size={batch})"
        )
    if counts.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if (np.diff(counts) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if counts[0] > steps:
        raise RuntimeError(
            f"pack_padded_sequence: given a length of {counts[0]}; needed: at most the {steps} "
            "steps of the input"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Any, Any]:
    """(padded, lengths): (T, B, ...), or (B, T, ...) if `batch_first`, in the order once given.

    Steps beyond a sequence's end hold `padding_value`. T is the longest length, or `total_length`.
    ValueError if that is less.
    """
    data, batch_sizes, _, back = sequence
    sizes = batch_sizes.numpy()
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    rest = tuple(data.shape[1:])
    rows = full((steps * batch, *rest), padding_value, dtype=data.dtype)
    rows = ops.index_copy(rows, 0, _places(sizes, steps, batch, batch_first), data)
    shape = (batch, steps) if batch_first else (steps, batch)
    padded = rows.reshape(*shape, *rest)
    lengths = _v.wrap((sizes > np.arange(batch)[:, None]).sum(1))
    if back is None:
        return padded, lengths
    return ops.index_select(padded, 0 if batch_first else 1, back), lengths[back]


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Any:
    """Sequences (L_i, ...) in one tensor (T, B, ...), or (B, T, ...): T is the longest L_i.

    Steps that a sequence does not have hold `padding_value`, after it or ("left") before it.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    given = tuple(sequences)
    if not given:
        raise RuntimeError("received an empty list of sequences")
    for i, one in enumerate(given):
        if not isinstance(one, Variable):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(one).__name__}"
            )
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    steps = max(one.size(0) for one in given)
    rest, dtype = tuple(given[0].shape[1:]), given[0].dtype
    columns = []
    for one in given:
        if tuple(one.shape[1:]) != rest:
            raise _misfit(rest, tuple(one.shape[1:]))
        missing = full((steps - one.size(0), *rest), padding_value, dtype=dtype)
        own = one if one.dtype == dtype else one.to(dtype)
        parts = (missing, own) if padding_side == "left" else (own, missing)
        columns.append(ops.cat(parts) if missing.size(0) else own)
    return ops.stack(columns, 0 if batch_first else 1)


def _misfit(rest: tuple, other: tuple) -> RuntimeError:
    for i, (a, b) in enumerate(zip(rest, other)):  # noqa: B905
        if a != b:
            return RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {i + 1}"
            )
    return RuntimeError(
        f"pad_sequence: given sequences of elements {list(rest)} and {list(other)}; needed: one "
        "shape"
    )


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences in (T, B, ...), or (B, T, ...): the first `lengths[b]` steps of each."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    pairs = zip(padded_sequences, lengths, strict=True)
    return [sequence[: int(length)].clone() for sequence, length in pairs]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """`pack_padded_sequence` of `pad_sequence`: sequences (L_i, ...), packed."""
    lengths = as_tensor([one.size(0) for one in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences of a packed sequence, in the order in which they were given."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
