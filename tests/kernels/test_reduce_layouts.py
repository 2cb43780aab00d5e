"""Reductions of 16-bit floats, which are widened block by block, and of expanded tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.cpu import _C
from minigrad.kernels.reduction import KINDS

SHAPES = [
    ((1,), (0,)), ((4097,), (0,)), ((150_001,), (0,)), ((300, 3), (1,)), ((300, 3), (0,)),
    ((5, 777), (1,)), ((5, 777), (0,)), ((40, 1100), (0,)), ((4, 5000), (1,)),
    ((4, 65, 9), (1,)), ((4, 65, 9), (0, 2)), ((3, 700, 70), (0, 1)), ((0, 3), (0,)),
]  # fmt: skip
CALLS: dict[str, Any] = {
    "sum": lambda x, d: x.sum(d),
    "mean": lambda x, d: x.mean(d, keepdim=True),
    "amax": lambda x, d: x.amax(d),
    "amin": lambda x, d: x.amin(d),
    "var": lambda x, d: x.var(d),
    "std": lambda x, d: x.std(d, correction=0),
    "norm": lambda x, d: mg.linalg.vector_norm(x, 2, d),
    "norm inf": lambda x, d: mg.linalg.vector_norm(x, float("inf"), d),
    "logsumexp": lambda x, d: mg.logsumexp(x, d),
    "nansum": lambda x, d: mg.nansum(x, d),
    "count_nonzero": lambda x, d: mg.count_nonzero(x, d),
    "any": lambda x, d: mg.any(x, d),
}
NEEDS_VALUES = ("amax", "amin", "norm inf", "var", "std")


def compiled(x: Any, name: str, dim: Any) -> Any:
    """What the kernel gives: nothing is left to NumPy."""
    result = _C.reduce(None, KINDS.index(name), x, dim, False, 0.0)
    assert result is not None
    return result


@pytest.mark.parametrize("dtype", [mg.float16, mg.bfloat16])
@pytest.mark.parametrize(("shape", "dims"), SHAPES)
def test_halves(isa: str, shape: tuple, dims: tuple, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for special in ((), (np.nan, np.inf)):
        values = rng.uniform(-1.2, 1.2, shape).astype(np.float32)
        values[rng.uniform(size=shape) < 0.05] = 0
        if values.size > 5:
            for value in special:
                values.reshape(-1)[rng.integers(values.size)] = value
        x = mg.from_numpy(values).to(dtype)
        wide = x.float()
        for name, call in CALLS.items():
            if values.size == 0 and name in NEEDS_VALUES:
                continue
            if name == "var" and values.size < 2:
                continue
            got, expected = call(x, dims), call(wide, dims)
            assert got.dtype == (dtype if expected.dtype == mg.float32 else expected.dtype)
            # Blocks are joined in another order: a last bit of float32 may decide the rounding.
            tolerance = (
                0 if "am" in name or "inf" in name else 1e-3 if dtype == mg.float16 else 8e-3
            )
            np.testing.assert_allclose(
                got.float().numpy(),
                expected.to(got.dtype).float().numpy(),
                tolerance,
                1e-6,
                err_msg=name,
            )
        if values.size:
            for name in ("sum", "max", "var", "count_nonzero"):
                compiled(x, name, dims)


def test_halves_beyond_their_range(isa: str) -> None:
    x = mg.full((300, 300), 1000.0, dtype=mg.float16)
    assert x.sum().item() == np.inf
    assert x.mean().item() == 1000
    assert x.sum(0, dtype=mg.float32)[0].item() == 300_000
    strided = mg.arange(4000.0).to(mg.bfloat16).view(40, 100)[:, 3:90]
    assert mg.equal(strided.sum(1), strided.float().sum(1).bfloat16())
    assert mg.equal(strided.t().amax(1), strided.float().amax(0).bfloat16())


def test_halves_do_not_depend_on_threads(num_threads: Any) -> None:
    x = mg.from_numpy(np.random.default_rng(0).standard_normal((700, 900)).astype("f")).half()
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append([f(x, d).numpy().tobytes() for f in CALLS.values() for d in (0, 1, (0, 1))])
    assert results[0] == results[1]


def test_gradients_of_halves() -> None:
    x = mg.from_numpy(np.random.default_rng(0).standard_normal((7, 33)).astype("f"))
    for call in CALLS.values():
        a = x.half().requires_grad_()
        b = x.half().float().requires_grad_()
        y = call(a, 1)
        if not y.requires_grad:
            continue
        y.sum().backward()
        call(b, 1).sum().backward()
        assert a.grad.dtype == mg.float16
        np.testing.assert_allclose(a.grad.float().numpy(), b.grad.numpy(), 4e-3, 1e-4)


EXPANDED = [
    ((1000, 1), (1000, 77)), ((1, 77), (50, 77)), ((64, 1, 96), (64, 12, 96)), ((1, 1), (5, 6)),
    ((3, 1, 5, 1), (3, 4, 5, 6)), ((1, 4, 1, 9), (6, 4, 3, 9)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [mg.float32, mg.float64, mg.bfloat16, mg.int64, mg.int32])
@pytest.mark.parametrize(("shape", "to"), EXPANDED)
def test_expanded(shape: tuple, to: tuple, dtype: Any) -> None:
    x = mg.from_numpy(np.random.default_rng(0).integers(-9, 9, shape)).to(dtype).expand(to)
    whole = x.contiguous()
    dims: list[Any] = [None, *range(len(to)), (0, 1), (0, len(to) - 1)]
    for d in dims:
        for name in ("sum", "amax", "mean", "var", "prod", "any", "count_nonzero", "norm"):
            if not dtype.is_floating_point and name in ("mean", "var", "norm"):
                continue
            if name == "prod" and (d is None or isinstance(d, tuple)):
                continue
            f = getattr(mg, name)
            call = (lambda t, f=f: f(t)) if d is None else (lambda t, f=f, d=d: f(t, dim=d))
            got, expected = call(x), call(whole)
            assert got.dtype == expected.dtype
            assert got.shape == expected.shape
            np.testing.assert_allclose(
                got.double().numpy(), expected.double().numpy(),
                1e-2 if dtype == mg.bfloat16 else 1e-5,
                err_msg=f"{name} {d}",
            )  # fmt: skip
    assert compiled(x, "sum", 0).shape == whole.sum(0).shape


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("shape", [(1,), (5000,), (7, 33), (33, 7), (300, 5), (4, 300, 1100)])
def test_counts_of_integers(isa: str, shape: tuple, dtype: Any) -> None:
    values = np.random.default_rng(0).integers(-1, 2, shape).astype(dtype)
    x = mg.from_numpy(values)
    for dim in (None, *range(len(shape))):
        np.testing.assert_array_equal(
            mg.count_nonzero(x, dim).numpy(), np.count_nonzero(values, axis=dim)
        )
        if dim is not None:
            np.testing.assert_array_equal(x.any(dim).numpy(), (values != 0).any(dim))
            np.testing.assert_array_equal(x.all(dim).numpy(), (values != 0).all(dim))
