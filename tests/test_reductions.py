"""Reductions at their awkward points: zeros, ties, NaN, infinities, rounding, call forms."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops, return_types
from minigrad.autograd import grad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")
NAN, INF = float("nan"), float("inf")
OPS: dict[str, Any] = ops.CATALOGUE


def first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def gradients(name: str, values: Any, *args: Any, **kwargs: Any) -> tuple:
    """(ours, theirs): value, gradient, and the gradient of a product of the gradient."""
    found = []
    for library in (mg, torch):
        x = library.tensor(values, dtype=library.float64).requires_grad_()
        op = OPS[name] if library is mg else getattr(torch, name)
        y = first(op(x, *args, **kwargs))
        weight = library.tensor(1.0 + np.arange(int(np.prod(y.shape))).reshape(tuple(y.shape)))
        grad_of = grad if library is mg else torch.autograd.grad
        (g,) = grad_of((y * weight).sum(), [x], create_graph=True)
        second = None
        if g.requires_grad:
            direction = library.tensor(
                np.cos(np.arange(int(np.prod(g.shape))).reshape(tuple(g.shape)))
            )
            (second,) = grad_of((g * direction).sum(), [x], allow_unused=True)
        found.append([t.detach().numpy() if t is not None else None for t in (y, g, second)])
    return found[0], found[1]


AWKWARD = [
    ("prod", [2.0, 0.0, 3.0], {}),
    ("prod", [2.0, 0.0, 0.0], {}),
    ("prod", [[2.0, 0.0, 3.0], [1.0, 2.0, 3.0]], {}),
    ("prod", [[2.0, 0.0, 3.0], [1.0, 2.0, 3.0], [0.0, 0.0, 1.0]], {"dim": 1}),
    ("prod", 0.0, {}),
    ("cumprod", [[2.0, 0.0, 3.0, 4.0], [1.0, 2.0, 0.0, 0.0]], {"dim": 1}),
    ("cumprod", [[2.0, 1.5, 3.0, 4.0], [1.0, 2.0, -1.0, 3.0]], {"dim": 0}),
    ("amax", [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], {"dim": 1}),
    ("amin", [[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]], {"dim": (0, 1)}),
    ("max", [[1.0, 3.0, 3.0], [2.0, 2.0, 3.0]], {}),
    ("max", [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], {"dim": 1}),
    ("min", [1.0, NAN, 3.0, NAN], {}),
    ("max", [1.0, NAN, 3.0, NAN], {"dim": 0}),
    ("amax", [1.0, NAN, 3.0], {"dim": 0}),
    ("median", [1.0, 2.0, 2.0, 3.0], {}),
    ("median", [1.0, NAN, 2.0], {}),
    ("nanmedian", [1.0, NAN, 2.0, NAN], {}),
    ("nanmedian", [[1.0, NAN, 2.0], [NAN, NAN, NAN]], {"dim": 1}),
    ("nansum", [1.0, NAN, 2.0], {}),
    ("nanmean", [[1.0, NAN, 2.0], [1.0, 1.0, 1.0]], {"dim": 1}),
    ("logsumexp", [[-INF, 1.0], [2.0, 3.0]], {"dim": 1}),
    ("logsumexp", [[INF, 1.0], [2.0, 3.0]], {"dim": 1}),
    ("logsumexp", [[1000.0, 1001.0], [-1000.0, -999.0]], {"dim": 1}),
    ("std", [[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]], {"dim": 1}),
    ("var", [[1.0, INF], [1.0, 2.0]], {"dim": 1}),
    ("cummax", [1.0, NAN, 3.0, NAN, 4.0], {"dim": 0}),
    ("cummin", [3.0, 3.0, 1.0, 1.0, 2.0], {"dim": 0}),
    ("quantile", [[1.0, NAN, 2.0], [3.0, 1.0, 2.0]], {"q": 0.3, "dim": 1}),
    ("nanquantile", [[1.0, NAN, 2.0], [NAN, NAN, NAN]], {"q": 0.3, "dim": 1}),
    ("sort", [3.0, NAN, 1.0, -INF], {"descending": True}),
    ("topk", [3.0, NAN, 1.0, 5.0, 2.0, 0.0, 7.0, 1.5, 2.5], {"k": 2}),
]


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "values", "kwargs"), AWKWARD, ids=str)
def test_gradients_at_awkward_points(name: str, values: Any, kwargs: dict) -> None:
    ours, theirs = gradients(name, values, **kwargs)
    for got, expected in zip(ours, theirs):
        if expected is None:
            assert got is None or not got.any()
        elif got is None:
            assert not expected.any()
        else:
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
@pytest.mark.parametrize("shape", [(20_000, 3), (3, 20_000), (5_000, 40)])
def test_sums_do_not_lose_digits(shape: tuple, axis: Any, dtype: type) -> None:
    """The error of a long float32 sum stays within a few roundings, along any axis."""
    x = np.random.default_rng(0).random(shape).astype(dtype)
    for layout in (x, np.asfortranarray(x), x[::-1, ::-1]):
        exact = layout.astype(np.float64).sum(axis=axis)
        t = mg.Tensor._from_array(layout)
        wide = t.sum(axis, dtype=mg.float32).numpy()
        np.testing.assert_allclose(wide, exact, rtol=6e-7)
        count = exact.size and x.size / exact.size
        np.testing.assert_allclose(
            t.mean(axis).numpy(), exact / count, rtol=6e-7 if dtype == np.float32 else 5e-4
        )


def test_the_gradient_of_a_broadcast_bias_does_not_lose_digits() -> None:
    bias = mg.zeros(3).requires_grad_()
    (mg.zeros(100_000, 3) + bias).backward(mg.full((100_000, 3), 0.1))
    np.testing.assert_allclose(bias.grad.numpy(), 10_000, rtol=1e-6)


def test_half_sums_are_rounded_once() -> None:
    x = mg.ones(5000, dtype=mg.float16)
    assert x.sum().item() == 5000
    assert mg.full((70_000,), 2.0, dtype=mg.float16).mean().item() == 2
    big = mg.full((100_000,), 1.0, dtype=mg.float16).requires_grad_()
    big.mean().backward()
    assert big.grad.numpy()[0] == pytest.approx(1e-5, rel=0.05)


def test_variance_of_shifted_data() -> None:
    x = np.random.default_rng(0).standard_normal(10_000) + 1e4
    t = mg.tensor(x, dtype=mg.float32)
    exact = t.numpy().astype(np.float64).var(ddof=1)
    assert t.var().item() == pytest.approx(exact, rel=1e-6)


def test_named_results() -> None:
    x = mg.tensor([[1.0, 3.0], [4.0, 2.0]])
    result = x.max(0)
    values, indices = result
    assert isinstance(result, return_types.max) and isinstance(result, tuple)
    assert result.values is values and result.indices is indices
    assert repr(result).startswith("torch.return_types.max(\nvalues=tensor(")
    low, high = OPS["aminmax"](x)
    assert (low.item(), high.item()) == (1, 4)
    with pytest.raises(TypeError, match="2-sequence"):
        return_types.max((1,))


def test_numpys_keywords() -> None:
    x = mg.tensor([[1.0, 3.0], [4.0, 2.0]])
    assert x.sum(axis=0, keepdims=True).shape == (1, 2)
    assert x.max(axis=1).indices.numpy().tolist() == [1, 0]
    assert x.argmax(axis=0).numpy().tolist() == [1, 0]
    assert x.cumsum(axis=1).shape == (2, 2)
    with pytest.raises(TypeError, match="unexpected keyword"):
        x.sum(dims=0)


def test_arguments_of_the_wrong_type() -> None:
    x = mg.tensor([[1.0, 3.0], [4.0, 2.0]])
    for bad in (True, 1.5, "a", {}):
        with pytest.raises(TypeError):
            x.sum(bad)
    for name in ("sum", "mean", "prod", "amax", "max", "argmin", "any", "logsumexp"):
        with pytest.raises(TypeError, match="'keepdim' must be bool, not int"):
            OPS[name](x, 0, 1)


def test_named_results_pickle() -> None:
    result = mg.tensor([[1.0, 3.0], [4.0, 2.0]]).sort()
    again = pickle.loads(pickle.dumps(result))
    assert again.indices.numpy().tolist() == [[0, 1], [1, 0]]
    assert type(again) is return_types.sort


def test_out() -> None:
    x = mg.tensor([[1.0, 3.0], [4.0, 2.0]])
    out = mg.empty(2, dtype=mg.float64)
    assert OPS["sum"](x, 0, out=out) is out and out.numpy().tolist() == [5, 5]
    values, indices = mg.empty(0), mg.empty(0, dtype=mg.int64)
    result = OPS["sort"](x, out=(values, indices))
    assert result.values is values and values.shape == (2, 2)
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype long int"):
        OPS["argmax"](x, 0, out=mg.empty(2))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        OPS["sum"](x.requires_grad_(), 0, out=mg.empty(2))


def test_what_has_no_derivative_says_so() -> None:
    x = mg.tensor([1.0, 2.0, 2.0]).requires_grad_()
    with pytest.raises(RuntimeError, match="derivative for aten::_unique2 is not implemented"):
        OPS["unique"](x).sum().backward()


@needs_torch
@pytest.mark.parametrize("right", [False, True])
def test_searchsorted_with_nan(right: bool) -> None:
    edges, values = [1.0, 3.0, NAN], [NAN, 9.0, 3.0, -1.0]
    ours = OPS["searchsorted"](mg.tensor(edges), mg.tensor(values), right=right)
    theirs = torch.searchsorted(torch.tensor(edges), torch.tensor(values), right=right)
    assert ours.numpy().tolist() == theirs.tolist()
    ours = OPS["searchsorted"](mg.tensor([1.0, INF]), mg.tensor([INF, NAN]), right=right)
    theirs = torch.searchsorted(torch.tensor([1.0, INF]), torch.tensor([INF, NAN]), right=right)
    assert ours.numpy().tolist() == theirs.tolist()


@needs_torch
def test_unique_with_nan() -> None:
    values = [[NAN, 1.0], [NAN, 1.0], [2.0, 0.0], [2.0, 0.0]]
    for kwargs in ({}, {"dim": 0}, {"dim": 1}):
        ours = OPS["unique"](mg.tensor(values), return_inverse=True, return_counts=True, **kwargs)
        theirs = torch.unique(
            torch.tensor(values), return_inverse=True, return_counts=True, **kwargs
        )
        for a, b in zip(ours, theirs):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@needs_torch
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable_with_nan(descending: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4, (3, 40)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = NAN
    ours = OPS["sort"](mg.tensor(values), dim=1, descending=descending, stable=True)
    theirs = torch.sort(torch.tensor(values), dim=1, descending=descending, stable=True)
    np.testing.assert_array_equal(ours.values.numpy(), theirs.values.numpy())
    np.testing.assert_array_equal(ours.indices.numpy(), theirs.indices.numpy())


X = mg.tensor([[1.5, -2.0, 3.0], [2.0, 2.0, 0.0]])


@pytest.mark.parametrize("name", ["prod", "max", "min", "median", "nanmedian"])
def test_a_dimension_that_is_given_is_an_int(name: str) -> None:
    for dim in (None, "a", 1.0, True, (0,)):
        with pytest.raises(TypeError):
            OPS[name](X, dim)
        with pytest.raises(TypeError):
            getattr(X, name)(dim=dim)
    with pytest.raises(TypeError, match="keepdim"):
        OPS[name](X, keepdim=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda: X.sum(keepdim=True),
        lambda: X.mean(keepdim=True),
        lambda: X.sum(True),
        lambda: X.cumsum(None),
        lambda: X.cumsum(True),
        lambda: X.cumsum(0, keepdims=True),
        lambda: X.argmax(True),
        lambda: X.softmax(True),
        lambda: X.topk(1.0),
        lambda: X.topk(True),
        lambda: X.kthvalue(1, 0, 1),
        lambda: X.mode(0, None),
        lambda: X.var(0, keepdim=1),
        lambda: X.norm(keepdim=1),
        lambda: X.quantile("a"),
        lambda: X.unique(0),
        lambda: X.diff(True),
        lambda: mg.aminmax(X, dim=True),
        lambda: X.sum(bogus=1),
    ],
)
def test_wrong_flags_and_numbers_are_type_errors(call: Any) -> None:
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *[(name, ()) for name in ("sum", "nansum", "mean", "nanmean", "prod", "amax", "argmin")],
        *[
            (name, ())
            for name in ("any", "all", "logsumexp", "var", "std", "max", "median", "mode")
        ],
        ("kthvalue", (1,)),
        ("quantile", (0.5,)),
    ],
)
def test_numpy_keywords(name: str, more: tuple) -> None:
    ours = OPS[name](X, *more, axis=1, keepdims=True)
    expected = OPS[name](X, *more, dim=1, keepdim=True)
    np.testing.assert_array_equal(first(ours).numpy(), first(expected).numpy())
    assert first(ours).shape == (2, 1)


def test_numpy_axis_without_keepdims() -> None:
    for name in ("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin", "sort", "count_nonzero"):
        ours, expected = (first(OPS[name](X, **{key: 0})) for key in ("axis", "dim"))
        np.testing.assert_array_equal(ours.numpy(), expected.numpy())


def test_nan_reductions_in_another_type() -> None:
    assert mg.nansum(X, dtype=mg.bool).dtype is mg.bool
    with pytest.raises(RuntimeError, match="could not infer output dtype. Optional"):
        mg.nanmean(X, dtype=mg.int64)
