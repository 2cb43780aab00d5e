"""Operations that are one compiled call for plain tensors: the same values as the general code, and
the same place in the graph."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _C, fast

_rng = np.random.default_rng(3)


def _values(*shape: int, dtype: str = "float64") -> np.ndarray:
    return (_rng.random(shape) + 0.1).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shapes", [((3, 5),) * 3, ((3, 5), (5,), (3, 1)), ((), (2, 3), (1,))])
@pytest.mark.parametrize("name", ["addcmul", "addcdiv", "lerp"])
def test_three_operands(name: str, shapes: tuple, dtype: str) -> None:
    x, a, b = (_values(*s, dtype=dtype) for s in shapes)
    wide = [v.astype(np.float64) for v in (x, a, b)]
    expected = {
        "addcmul": lambda x, a, b: x + 0.5 * a * b,
        "addcdiv": lambda x, a, b: x + 0.5 * a / b,
        "lerp": lambda x, a, b: x + b * (a - x),
    }[name](*wide)
    given = [mg.tensor(v) for v in (x, a, b)]
    rest = {} if name == "lerp" else {"value": 0.5}
    result = getattr(mg, name)(*given, **rest)
    assert result.shape == expected.shape and result.numpy().dtype == dtype
    rtol = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(result.numpy(), expected, rtol=rtol)
    if expected.shape == x.shape:
        assert getattr(given[0], name + "_")(*given[1:], **rest) is given[0]
        np.testing.assert_array_equal(given[0].numpy(), result.numpy())
        assert given[0]._version == 1


@pytest.mark.parametrize("name", ["addcmul", "addcdiv", "lerp"])
def test_gradients_of_three_operands(name: str) -> None:
    inputs = [mg.tensor(_values(*s), requires_grad=True) for s in ((3, 4), (4,), (3, 1))]
    assert mg.autograd.gradcheck(getattr(mg, name), inputs)
    assert mg.autograd.gradgradcheck(getattr(mg, name), inputs)


def test_saved_operands_are_guarded() -> None:
    a, b = mg.ones(2, requires_grad=True), mg.ones(2)
    result = mg.addcmul(mg.ones(2), a, b)
    b.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


def test_in_place_functions() -> None:
    for name in ("relu", "exp", "neg", "sqrt", "tanh", "abs", "floor"):
        x = _values(3, 4, dtype="float32")
        t = mg.tensor(x)
        expected = getattr(mg, name)(mg.tensor(x)).numpy()
        assert getattr(t, name + "_")() is t and t._version == 1
        np.testing.assert_array_equal(t.numpy(), expected)
    x = mg.tensor([-1.0, 0.5, math.nan, 3.0])
    assert x.clone().clamp_(0, 1).tolist()[:2] == [0, 0.5]
    assert x.clone().clamp_(max=1).tolist()[3] == 1 and x.clone().clamp_(0, 1).isnan()[2]
    with pytest.raises(RuntimeError, match="must not be None"):
        x.clamp_()
    i = mg.tensor([-4, 4])
    assert i.clamp_(min=0).tolist() == [0, 4] and i.neg_().tolist() == [0, -4]


def test_in_place_functions_in_the_graph() -> None:
    leaf = mg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.exp_()
    with mg.no_grad():
        leaf.exp_()
    y = leaf * 1
    part = y[1:]
    part.sqrt_()
    y.sum().backward()
    half = 0.5 / math.sqrt(math.e)
    np.testing.assert_allclose(leaf.grad.numpy(), [1, half, half], rtol=1e-6)
    t = mg.ones(2, 3).t()  # strided: Python's work
    assert not _C.fast_unary_in_place(fast.UNARY.index("neg"), t)
    assert t.neg_().sum().item() == -6


@pytest.mark.parametrize("beta,alpha", [(1, 1), (0.5, 2.0), (0, 1)])
@pytest.mark.parametrize("shape", [(3, 5), (5,), (1, 5), (3, 1), ()])
def test_addmm(shape: tuple, beta: float, alpha: float) -> None:
    x, a, b = _values(*shape), _values(3, 4), _values(5, 4)
    inputs = [mg.tensor(v, requires_grad=True) for v in (x, a, b)]

    def function(x: mg.Tensor, a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
        return mg.addmm(x, a, b.t(), beta=beta, alpha=alpha)

    expected = beta * x + alpha * (a @ b.T)
    np.testing.assert_allclose(function(*inputs).detach().numpy(), expected, rtol=1e-12)
    assert mg.autograd.gradcheck(function, inputs)


def test_addmm_with_beta_zero_reads_no_input() -> None:
    nan = mg.full((2, 2), math.nan)
    assert mg.addmm(nan, mg.ones(2, 3), mg.ones(3, 2), beta=0).tolist() == [[3, 3], [3, 3]]
    with pytest.raises(RuntimeError):
        mg.addmm(mg.ones(4), mg.ones(2, 3), mg.ones(3, 2))


@pytest.mark.parametrize(
    "equation", ["ij,jk->ik", "ij,kj->ik", "ji,jk->ik", "bij,bjk->bik", "bij,bkj->bik", "ij,jk->ki"]
)
def test_einsum_of_matrices(equation: str) -> None:
    sizes = {"b": 2, "i": 3, "j": 4, "k": 5}
    arrays = [_values(*[sizes[c] for c in term]) for term in equation.partition("->")[0].split(",")]
    inputs = [mg.tensor(v, requires_grad=True) for v in arrays]
    np.testing.assert_allclose(
        mg.einsum(equation, *inputs).detach().numpy(), np.einsum(equation, *arrays), rtol=1e-12
    )
    assert mg.autograd.gradcheck(lambda *v: mg.einsum(equation, *v), inputs)


def test_products_check_ranks() -> None:
    with pytest.raises(RuntimeError):
        mg.mm(mg.ones(2, 2), mg.ones(2))
    with pytest.raises(RuntimeError):
        mg.bmm(mg.ones(1, 2, 2), mg.ones(3, 2, 2))
    with pytest.raises(RuntimeError):
        mg.mv(mg.ones(2, 2), mg.ones(2, 2))
    with pytest.raises(RuntimeError):
        mg.dot(mg.ones(2, 2), mg.ones(2))


def test_scatter_of_a_part() -> None:
    x, src = _values(3, 4), _values(5, 6)
    index = np.array([[0, 3], [1, 2], [3, 0]])
    expected = x.copy()
    np.put_along_axis(expected, index, src[:3, :2], 1)
    given = mg.tensor(x, requires_grad=True)
    result = given.scatter(1, mg.tensor(index), mg.tensor(src))
    np.testing.assert_array_equal(result.detach().numpy(), expected)
    weight = _values(3, 4)
    (result * mg.tensor(weight)).sum().backward()
    np.put_along_axis(weight, index, 0, 1)
    np.testing.assert_array_equal(given.grad.numpy(), weight)
    np.put_along_axis(expected, index, 2.5, 1)
    np.testing.assert_array_equal(mg.tensor(x).scatter(1, mg.tensor(index), 2.5).numpy(), expected)
    added = mg.tensor(x).scatter_add(1, mg.tensor(np.zeros((3, 2), np.int64)), mg.tensor(src))
    total = x.copy()
    total[:, 0] += src[:3, :2].sum(1)
    np.testing.assert_allclose(added.numpy(), total)
    with pytest.raises(RuntimeError):
        mg.tensor(x).scatter(1, mg.tensor([[4]]), 1.0)
    with pytest.raises(RuntimeError):
        mg.tensor(x).scatter(1, mg.tensor([[0]]), mg.ones(1, 1))  # float32 into float64


def test_answers() -> None:
    nan = mg.tensor([1.0, math.nan])
    assert not mg.equal(nan, nan) and mg.equal(mg.tensor([0.0]), mg.tensor([-0.0]))
    assert not mg.equal(mg.ones(2), mg.ones(3)) and mg.equal(mg.ones(2), mg.ones(2).double())
    long = np.arange(1000.0)
    other = long.copy()
    other[-1] = 0
    assert mg.equal(mg.tensor(long), mg.tensor(long)) and not mg.equal(
        *map(mg.tensor, (long, other))
    )
    mask = _values(7, 9) > 0.6
    count = mg.tensor(mask).sum()
    assert count.dtype == mg.int64 and count.item() == mask.sum()
    assert mg.tensor(mask).t().sum().item() == mask.sum()
    for array in (mask, mask.astype(np.float32), mask.astype(np.int64), mask[:0], mask[0]):
        np.testing.assert_array_equal(mg.tensor(array).nonzero().numpy(), np.argwhere(array))
    np.testing.assert_array_equal(mg.tensor(mask).t().nonzero().numpy(), np.argwhere(mask.T))
    assert nan.isnan().tolist() == [False, True] and not mg.tensor([1, 2]).isnan().any()


@pytest.mark.parametrize("exponent", [3, 0.5, -1, -0.5, 3.0])
def test_powers(exponent: float) -> None:
    x = mg.tensor(_values(3, 4), requires_grad=True)
    np.testing.assert_allclose((x**exponent).detach().numpy(), x.detach().numpy() ** exponent)
    assert mg.autograd.gradcheck(lambda v: v**exponent, [x])
    assert mg.autograd.gradgradcheck(lambda v: v**exponent, [x])
    assert (x**exponent).grad_fn.name() == "PowBackward0"
