"""Every operation against PyTorch (or NumPy): values, types, layouts, gradients, errors."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from optable import ROWS
from optable.row import A, Row, build, to_numpy

import minigrad as mg
from minigrad import ops
from minigrad.autograd.variable import Variable

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

RTOL = {"float64": 1e-10, "float32": 2e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")
rows = pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
_CASES = [(row, d) for row in ROWS for d in row.dtypes]
cases = pytest.mark.parametrize(("row", "dtype"), _CASES, ids=[f"{r.id}-{d}" for r, d in _CASES])


def rng_of(row: Row) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(row.id.encode()))


def ours(values: np.ndarray, name: str, grad: bool = False, layout: str = "contiguous") -> Any:
    """A tensor over values of a dtype; `layout` "strided" puts it in a larger array."""
    array = to_numpy(values, name)
    if layout == "strided" and array.ndim:
        base = np.empty((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
        base[...] = array
        array = base
    elif layout == "transposed" and array.ndim > 1:
        array = np.ascontiguousarray(array.T).T
    t = mg.Tensor._from_array(array)
    return t.requires_grad_() if grad and array.dtype.kind in "fV" else t


def theirs(values: np.ndarray, name: str, grad: bool = False) -> Any:
    t = torch.from_numpy(np.array(values, copy=True)).to(getattr(torch, name))
    return t.requires_grad_() if grad and t.is_floating_point() else t


def flat(result: Any) -> list:
    """The tensors of a result, in order."""
    if isinstance(result, Variable) or (torch is not None and isinstance(result, torch.Tensor)):
        return [result]
    if isinstance(result, (list, tuple)):
        return [t for r in result for t in flat(r)]
    return [result]


def as_double(t: Any) -> Any:
    if isinstance(t, Variable):
        return t._array.astype(np.float64)
    if torch is not None and isinstance(t, torch.Tensor):
        return t.detach().to(torch.float64).numpy(force=True)
    return np.asarray(t, np.float64)


def name_of(t: Any) -> str:
    """The dtype's name of a tensor; integers may give floats, which need a tolerance."""
    return str(getattr(t, "dtype", "")).split(".")[-1]


def check(row: Row, got: Any, expected: Any, dtype: str, what: str) -> None:
    got, expected = flat(got), flat(expected)
    assert len(got) == len(expected), what
    for g, e in zip(got, expected, strict=True):
        if isinstance(g, Variable) and hasattr(e, "dtype"):
            assert str(g.dtype).split(".")[-1] == str(e.dtype).split(".")[-1], f"{what}: dtype"
            assert tuple(g.shape) == tuple(e.shape), f"{what}: shape"
        tol = row.rtol.get(dtype, max(RTOL.get(dtype, 0), RTOL.get(name_of(g), 0)))
        np.testing.assert_allclose(as_double(g), as_double(e), rtol=tol, atol=tol, err_msg=what)


def call_ours(row: Row, dtype: str, grad: bool = False, layout: str = "contiguous") -> tuple:
    leaves: list = []

    def convert(values: np.ndarray, spec: A) -> Any:
        t = ours(values, spec.dtype or dtype, grad and spec.grad, layout)
        leaves.append(t)
        return t

    rng = rng_of(row)
    args = build(row.args, rng, dtype, convert)
    kwargs = build(row.kwargs, rng, dtype, convert)
    return row.function()(*args, **kwargs), leaves


def call_theirs(row: Row, dtype: str, grad: bool = False) -> tuple:
    leaves: list = []

    def convert(values: np.ndarray, spec: A) -> Any:
        # Both sides see the values rounded to the dtype.
        name = spec.dtype or dtype
        t = theirs(to_numpy(values, name).astype(values.dtype), name, grad and spec.grad)
        leaves.append(t)
        return t

    rng = rng_of(row)
    oracle = row.oracle()
    assert oracle is not None
    args = build(row.args, rng, dtype, convert)
    kwargs = build(row.kwargs, rng, dtype, convert)
    return oracle(*args, **kwargs), leaves


def weights(results: list, seed: int) -> list:
    """A fixed random direction in the space of the results that can be differentiated."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(tuple(r.shape)) for r in results]


def differentiable(results: Any) -> list:
    return [r for r in flat(results) if getattr(r, "requires_grad", False)]


def test_every_operation_has_a_row() -> None:
    missing = set(ops.CATALOGUE) - {row.name for row in ROWS}
    assert not missing, f"operations without a row in the op table: {sorted(missing)}"


@cases
def test_values(row: Row, dtype: str) -> None:
    got, _ = call_ours(row, dtype)
    if torch is not None:
        check(row, got, call_theirs(row, dtype)[0], dtype, row.id)
    elif row.numpy is not None and dtype == "float64":
        args = build(row.args, rng_of(row), dtype, lambda v, s: v)
        check(row, got, row.numpy(*args, **row.kwargs), dtype, row.id)


TYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
)  # fmt: skip
# Operations that do not follow PyTorch in types that no row of theirs names.
OTHER_TYPES = {
    "affine_grid_generator": "integers are refused, as by affine_grid",
    "grid_sample": "16-bit floats are computed in float32, twenty times as precise as PyTorch's",
}


@needs_torch
@pytest.mark.parametrize("name", sorted(ops.CATALOGUE.keys() - OTHER_TYPES.keys()))
def test_values_of_types_beyond_the_rows(name: str) -> None:
    """Types that no row of an operation names, but PyTorch takes in one of them."""
    own = [row for row in ROWS if row.name == name]
    for dtype in set(TYPES).difference(*[row.dtypes for row in own]):
        for row in own[:3]:
            try:
                expected = call_theirs(row, dtype)[0]
            except Exception:  # noqa: BLE001 -- not for this type
                continue
            check(row, call_ours(row, dtype)[0], expected, dtype, f"{row.id} of {dtype}")
            break


@rows
@pytest.mark.parametrize("layout", ["strided", "transposed"])
def test_layouts(row: Row, layout: str) -> None:
    """A strided or transposed input gives what a contiguous one gives."""
    if not row.strided:
        pytest.skip("the row says that layouts do not apply")
    dtype = "float64" if "float64" in row.dtypes else row.dtypes[0]
    plain, _ = call_ours(row, dtype)
    other, _ = call_ours(row, dtype, layout=layout)
    check(row, other, plain, dtype, f"{row.id} {layout}")


def _emptied(spec: Any) -> Any:
    if isinstance(spec, A):
        return A((0, *spec.shape[1:]), spec.lo, spec.hi, spec.dtype) if spec.shape else spec
    if isinstance(spec, (list, tuple)):
        return type(spec)(_emptied(s) for s in spec)
    return spec


@needs_torch
@rows
def test_empty(row: Row) -> None:
    """Zero-size inputs give PyTorch's result, or an error of its class."""
    dtype = "float32" if "float32" in row.dtypes else row.dtypes[0]
    args = row.empty if row.empty is not None else _emptied(row.args)
    empty = Row(row.name, args, row.kwargs, row.torch, op=row.op, label=row.label)
    try:
        expected = call_theirs(empty, dtype)[0]
    except Exception as error:
        with pytest.raises((type(error), RuntimeError, IndexError, ValueError)):
            call_ours(empty, dtype)
        return
    check(empty, call_ours(empty, dtype)[0], expected, dtype, row.id)


@needs_torch
@rows
def test_gradient_is_pytorchs(row: Row) -> None:
    dtypes = [d for d in row.dtypes if "float" in d and d != "float16"]
    if not row.grad:
        pytest.skip("not differentiable")
    for dtype in dtypes:
        got, leaves = call_ours(row, dtype, grad=True)
        expected, oracle_leaves = call_theirs(row, dtype, grad=True)
        outs, oracle_outs = differentiable(got), differentiable(expected)
        assert outs, f"{row.id}: no result requires grad"
        assert len(outs) == len(oracle_outs), f"{row.id}: which results require grad"
        for w, o, t in zip(weights(outs, 1), outs, oracle_outs, strict=True):
            o.backward(ours(w, str(o.dtype).split(".")[1]), retain_graph=True)
            t.backward(theirs(w, str(t.dtype).split(".")[1]), retain_graph=True)
        for i, (a, b) in enumerate(zip(leaves, oracle_leaves, strict=True)):
            assert (a.grad is None) == (b.grad is None), f"{row.id}: gradient of input {i}"
            if a.grad is not None:
                check(row, a.grad, b.grad, dtype, f"{row.id} gradient of input {i} ({dtype})")


def _scalar(row: Row, leaves_at: list[np.ndarray] | None = None) -> tuple[Any, list]:
    """The results in float64 weighted into one number, and the leaves, at given values."""
    leaves: list = []

    def convert(values: np.ndarray, spec: A) -> Any:
        name = spec.dtype or "float64"
        at = leaves_at[len(leaves)] if leaves_at is not None else values
        leaves.append(ours(at, name, spec.grad))
        return leaves[-1]

    rng = rng_of(row)
    args = build(row.args, rng, "float64", convert)
    kwargs = build(row.kwargs, rng, "float64", convert)
    outs = differentiable(row.function()(*args, **kwargs))
    total = None
    for w, o in zip(weights(outs, 2), outs, strict=True):
        term = (o * ours(w, "float64")).sum()
        total = term if total is None else total + term
    return total, leaves


def _directional(row: Row, f: Any) -> None:
    """Compares f's gradient along a random direction with a central difference."""
    _, leaves = _scalar(row)
    at = [t._array.copy() for t in leaves]
    free = [i for i, t in enumerate(leaves) if t.requires_grad]
    rng = np.random.default_rng(3)
    direction = [rng.standard_normal(a.shape) for a in at]
    value, grads = f(at)
    analytic = sum(
        float((g._array * direction[i]).sum())
        for i, g in zip(free, grads, strict=True)
        if g is not None
    )
    h = 1e-5
    sides = []
    for sign in (1, -1):
        moved = [a + sign * h * direction[i] if i in free else a for i, a in enumerate(at)]
        sides.append(f(moved)[0])
    numeric = (sides[0] - sides[1]) / (2 * h)
    scale = max(1.0, abs(numeric), abs(analytic))
    assert abs(numeric - analytic) <= 2e-6 * scale, f"{row.id}: {analytic} against {numeric}"


@rows
def test_first_gradient_numerically(row: Row) -> None:
    if not row.grad or "float64" not in row.dtypes:
        pytest.skip("not differentiable in float64")

    def f(at: list) -> tuple:
        total, leaves = _scalar(row, at)
        inputs = [t for t in leaves if t.requires_grad]
        return total.item(), mg.autograd.grad(total, inputs, allow_unused=True)

    _directional(row, f)


@rows
def test_second_gradient_numerically(row: Row) -> None:
    if not row.grad or not row.second or "float64" not in row.dtypes:
        pytest.skip("no second gradient")

    def f(at: list) -> tuple:
        total, leaves = _scalar(row, at)
        inputs = [t for t in leaves if t.requires_grad]
        first = mg.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
        rng = np.random.default_rng(4)
        inner = None
        for g, t in zip(first, inputs, strict=True):
            w = ours(rng.standard_normal(tuple(t.shape)), "float64")
            if g is not None and g.requires_grad:
                term = (g * w).sum()
                inner = term if inner is None else inner + term
        if inner is None:  # linear in every input
            return 0.0, [None] * len(inputs)
        return inner.item(), mg.autograd.grad(inner, inputs, allow_unused=True)

    _directional(row, f)


@rows
def test_inputs_are_left_alone(row: Row) -> None:
    """Neither forward nor backward writes to what it was given; gradients share no memory."""
    dtype = "float64" if "float64" in row.dtypes else row.dtypes[0]
    got, leaves = call_ours(row, dtype, grad=row.grad)
    before = [t._array.copy() for t in leaves]
    for o in differentiable(got):
        w = mg.Tensor._from_array(np.ones(o._array.shape, o._array.dtype))
        o.backward(w, retain_graph=True)
        for t in leaves:
            if t.grad is not None:
                for other in (w, *leaves, *flat(got)):
                    if isinstance(other, Variable):
                        assert not np.shares_memory(t.grad._array, other._array), row.id
    for b, t in zip(before, leaves, strict=True):
        np.testing.assert_array_equal(b, t._array)


@pytest.mark.parametrize("row", [r for r in ROWS if r.bad], ids=[r.id for r in ROWS if r.bad])
def test_bad_input(row: Row) -> None:
    assert row.bad is not None
    args, kwargs, error, pattern = row.bad
    rng = np.random.default_rng(0)
    args = build(args, rng, "float32", lambda v, s: ours(v, s.dtype or "float32"))
    kwargs = build(kwargs, rng, "float32", lambda v, s: ours(v, s.dtype or "float32"))
    with pytest.raises(error, match=pattern):
        row.function()(*args, **kwargs)


def test_every_operation_has_a_bad_input() -> None:
    """Each operation (aliases share one) is tested with one bad input."""
    tested = {id(row.function()) for row in ROWS if row.bad}
    missing = [n for n, f in ops.CATALOGUE.items() if id(f) not in tested]
    assert not missing, f"operations without a bad input in the table: {sorted(missing)}"
