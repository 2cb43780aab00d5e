"""`scatter_reduce` beside PyTorch: indices of every kind, values that tie, types, gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

DTYPES = ("float32", "float64", "bfloat16", "float16", "int64", "int8", "bool")


def draw(rng: np.random.Generator, dim: int, kind: str) -> tuple[Any, Any, Any]:
    """An input, an index (its own, repeated in memory, or expanded) and the values; many ties."""
    shape = rng.integers(1, 6, 3)
    index_shape = [int(rng.integers(1, n + 1)) for n in shape]
    index_shape[dim] = int(rng.integers(0, 9))
    if kind == "own":
        index = rng.integers(0, shape[dim], index_shape)
    else:
        index = rng.integers(
            0, shape[dim], [n if d == dim else 1 for d, n in enumerate(index_shape)]
        )
        if kind == "repeated":
            index = np.broadcast_to(index, index_shape).copy()
    return rng.integers(-3, 4, shape), index, rng.integers(-3, 4, index_shape)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("kind", ["own", "repeated", "expanded"])
def test_scatter_reduce(kind: str, reduce: str, dtype: str, include_self: bool) -> None:
    if dtype == "bool" and reduce == "mean":
        pytest.skip("PyTorch has no mean of bools")
    rng = np.random.default_rng(0)
    graded = dtype in ("float32", "float64")

    def run(lib: Any, dim: int, arrays: tuple) -> list:
        x, index, values = (lib.from_numpy(a) for a in arrays)
        x, values = x.to(getattr(lib, dtype)), values.to(getattr(lib, dtype))
        if graded:
            x.requires_grad_()
            values.requires_grad_()
        index = index.expand(*values.shape)
        out = x.scatter_reduce(dim, index, values, reduce, include_self=include_self)
        if not graded:
            return [out.double().numpy()]
        weights = lib.arange(out.numel()).reshape(*out.shape)
        (out * weights).sum().backward()
        return [out.detach().numpy(), x.grad.numpy(), values.grad.numpy()]

    for dim in (0, 1, 2, 0, 1, 2):
        arrays = draw(rng, dim, kind)
        for ours, theirs in zip(run(mg, dim, arrays), run(torch, dim, arrays), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
