"""Batches into micro-batches, and their results into those of the batch."""

from __future__ import annotations

from typing import Any

from ..autograd.variable import Variable
from ..ops import cat
from ..utils._pytree import tree_flatten, tree_map, tree_unflatten

__all__ = ["TensorChunkSpec", "merge_chunks", "split_args_kwargs_into_chunks"]


class TensorChunkSpec:
    """Says that a tensor is split along dimension `split_dim`."""

    def __init__(self, split_dim: int) -> None:
        self.split_dim = split_dim

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.split_dim})"

    @staticmethod
    def from_tuple(chunk_dims: tuple[int, ...]) -> Any:
        """Specs for positional arguments, by their dimensions."""
        return tree_map(TensorChunkSpec, chunk_dims)

    @staticmethod
    def from_dict(chunk_dims: dict[str, int]) -> Any:
        """Specs for keyword arguments, by their dimensions."""
        return tree_map(TensorChunkSpec, chunk_dims)


def _is_spec(value: Any) -> bool:
    return value is None or isinstance(value, TensorChunkSpec)


def _split(tree: Any, spec: Any, chunks: int) -> list[Any]:
    """The tree once for each chunk: tensors split (along 0 without a spec), the rest as it is."""
    leaves, shape = tree_flatten(tree)
    if spec is None:
        dims: list[Any] = [0] * len(leaves)
    else:
        specs, spec_shape = tree_flatten(spec, is_leaf=_is_spec)
        if spec_shape != shape:
            raise ValueError(
                f"argument value {tree!r} did not have the same number of values as chunk spec "
                f"{spec!r}"
            )
        dims = [s.split_dim if isinstance(s, TensorChunkSpec) else None for s in specs]
    parts: list[Any] = []
    for leaf, dim in zip(leaves, dims):
        if not isinstance(leaf, Variable) or dim is None:
            parts.append([leaf] * chunks)
            continue
        if leaf.dim() == 0 or leaf.shape[dim] < chunks:
            raise ValueError(
                f"micro-batches: a tensor of shape {tuple(leaf.shape)} was given; needed: at least "
                f"{chunks} samples in dimension {dim}, one for each micro-batch"
            )
        parts.append(leaf.tensor_split(chunks, dim))
    return [tree_unflatten([part[i] for part in parts], shape) for i in range(chunks)]


def split_args_kwargs_into_chunks(
    args: tuple,
    kwargs: dict[str, Any] | None,
    chunks: int,
    args_chunk_spec: Any = None,
    kwargs_chunk_spec: Any = None,
) -> tuple[list[tuple], list[dict[str, Any]]]:
    """Positional and keyword arguments for each of `chunks` micro-batches.

    Tensors are split along their first dimension, or as a `TensorChunkSpec` in the place of theirs
    says (None there: not at all); sizes differ by one at most. Other values go to all. ValueError
    for tensors with fewer samples than chunks, where PyTorch makes fewer chunks.
    """
    return (
        _split(tuple(args), args_chunk_spec, chunks),
        _split(dict(kwargs or {}), kwargs_chunk_spec, chunks),
    )


def merge_chunks(chunks: list[Any], chunk_spec: Any = None) -> Any:
    """One result out of those of the micro-batches: tensors joined along dimension 0, or as said.

    Values that are not tensors have to be equal, and are handed on. ValueError if they are not.
    """
    flat = [tree_flatten(chunk) for chunk in chunks]
    shape = flat[0][1]
    if chunk_spec is None:
        dims: list[Any] = [0] * len(flat[0][0])
    else:
        specs = tree_flatten(chunk_spec, is_leaf=_is_spec)[0]
        dims = [s.split_dim if isinstance(s, TensorChunkSpec) else None for s in specs]
    merged = []
    for place, dim in enumerate(dims):
        values = [leaves[place] for leaves, _ in flat]
        if isinstance(values[0], Variable) and dim is not None and values[0].dim():
            merged.append(cat(values, dim))
        elif isinstance(values[0], Variable) or all(v == values[0] for v in values):
            merged.append(values[0])
        else:
            raise ValueError(f"merge_chunks: the micro-batches gave {values}; needed: equal values")
    return tree_unflatten(merged, shape)
