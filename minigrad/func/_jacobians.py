"""Jacobians and Hessians: products with all unit vectors at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..autograd.variable import wrap
from ..utils import _pytree as pytree
from ._gradients import Evaluated, _select, replaced
from ._vmap import vmap


def _unit_vectors(leaves: list) -> list:
    """For each tensor, all unit vectors of the tensors together in its place, (n, *shape)."""
    total = sum(leaf._array.size for leaf in leaves)
    vectors = []
    start = 0
    for leaf in leaves:
        size = leaf._array.size
        rows = np.zeros((total, size), leaf._array.dtype)
        rows[np.arange(start, start + size), np.arange(size)] = 1
        vectors.append(wrap(rows.reshape(total, *leaf._array.shape)))
        start += size
    return vectors


def jacrev(
    func: Callable,
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable:
    """A function that returns the Jacobian of `func`, row by row in reverse mode.

    Shapes are (*output, *input), in the output's structure with the inputs' inside. `chunk_size`:
    how many rows at a time.
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _select(args, argnums)
        at = Evaluated(
            lambda tree: func(*replaced(args, argnums, tree), **kwargs), (chosen,), has_aux,
            "jacrev",
        )  # fmt: skip
        basis = _unit_vectors(at.leaves)

        def row(*cotangents: Any) -> tuple:
            return tuple(at.pullback(pytree.tree_unflatten(cotangents, at.spec)))

        rows = vmap(row, chunk_size=chunk_size)(*basis)
        blocks = []
        start = 0
        inputs = at.inputs.leaves
        for leaf in at.leaves:
            stop = start + leaf._array.size
            parts = [
                ops.reshape(
                    ops.narrow(r, 0, start, stop - start), (*leaf._array.shape, *x._array.shape)
                )
                for r, x in zip(rows, inputs, strict=True)
            ]
            blocks.append(pytree.tree_unflatten(parts, at.inputs.spec)[0])
            start = stop
        jacobian = pytree.tree_unflatten(blocks, at.spec)
        return (jacobian, at.settled_aux()) if has_aux else jacobian

    return wrapped


def jacfwd(
    func: Callable,
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable:
    """A function that returns the Jacobian of `func`, column by column.

    The products J v come from two backward passes over one evaluation (see `linearize`). Shapes and
    structure are `jacrev`'s.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = _select(args, argnums)
        at = Evaluated(
            lambda tree: func(*replaced(args, argnums, tree), **kwargs), (chosen,), has_aux,
            "jacfwd",
        )  # fmt: skip
        inputs = at.inputs.leaves
        basis = _unit_vectors(inputs)

        def column(*tangents: Any) -> tuple:
            return tuple(at.pushforward(list(tangents)))

        columns = vmap(column, randomness=randomness)(*basis)
        blocks = []
        for values, leaf in zip(columns, at.leaves, strict=True):
            parts = []
            start = 0
            for x in inputs:
                size = x._array.size
                part = ops.movedim(ops.narrow(values, 0, start, size), 0, -1)
                parts.append(ops.reshape(part, (*leaf._array.shape, *x._array.shape)))
                start += size
            blocks.append(pytree.tree_unflatten(parts, at.inputs.spec)[0])
        jacobian = pytree.tree_unflatten(blocks, at.spec)
        return (jacobian, at.settled_aux()) if has_aux else jacobian

    return wrapped


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that returns the second derivatives of `func`, (*output, *input, *input)."""
    return jacfwd(jacrev(func, argnums), argnums)
