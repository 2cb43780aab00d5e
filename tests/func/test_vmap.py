"""vmap beside PyTorch's: structures, nesting, writes in place, random numbers, users' functions."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair import both, torch

import minigrad as mg
import minigrad.func
from minigrad.func import _batched

Pair = namedtuple("Pair", "a b")
RNG = np.random.default_rng(5)
X, Y, Z = (RNG.standard_normal(s) for s in ((4, 3, 2), (4, 2, 5), (3, 4)))


def arrays(m: Any, tree: Any) -> list:
    leaves = m.utils._pytree.tree_leaves(tree)
    return [t.detach().numpy() for t in leaves]


def structures(m: Any, x: Any, y: Any, z: Any) -> Any:
    v = m.vmap
    return (
        v(lambda d, s: d["x"].sum() + s[0][0] * s[1], ({"x": 0}, (0, None)))(
            {"x": x}, ((x[:, 0],), 2.0)
        ),
        v(lambda p: Pair(p.b, p.a), in_dims=(Pair(0, 1),), out_dims=Pair(1, 0))(Pair(x, z)),
        v(lambda x: OrderedDict(s=x.sum(), t=x), out_dims=-1)(x),
        v(lambda x, y: (x @ y, [x, y]), in_dims=(0, 0), out_dims=(2, [0, 1]))(x, y),
        v(lambda x: x.sum(0), in_dims=-1, out_dims=1)(x),
        v(lambda x, k: x * k, in_dims=(0, None))(x, 3), v(lambda x, *, k: x * k)(x, k=z[0, 0]),
        v(lambda x: m.ones(2).double())(x), v(lambda x: (z, x), out_dims=(None, 0))(x),
        v(lambda x: x.sum(), chunk_size=3)(x),
        v(lambda x: (x, x.sum()), out_dims=(1, 0), chunk_size=1)(x), v(v(v(lambda a: a * 2)))(x),
        v(lambda a: v(lambda b: a @ b, in_dims=1, out_dims=1)(y[0]))(x),
        v(lambda a: v(lambda b: v(lambda c: a.sum() * b + c)(z[0]))(z[1]))(x),
    )  # fmt: skip


def writes(m: Any, x: Any, y: Any, z: Any) -> Any:
    def into(a: Any) -> Any:
        out = a.new_zeros(5, 2)
        out[1:4] = a
        out[0, 1] = a.sum()
        out[-1] += 1.5
        out[:, 0].mul_(2).add_(a[0, 1])
        out[4] = 7
        return out

    def several(a: Any) -> Any:
        b = a.clone()
        b.zero_().add_(a).relu_().copy_(b * 2)
        b.t_()
        b.unsqueeze_(0).clamp_(max=1.2)
        b += 1
        b.fill_diagonal_(3.0) if b.ndim == 2 else None
        return b, b.masked_fill_(b > 2, -1.0), m.relu_(a - 1)

    given_ = x.clone()
    m.vmap(lambda a: a.mul_(a.sum()), in_dims=1)(given_)
    return m.vmap(into)(x), m.vmap(several)(x), given_


def indexing(m: Any, x: Any, y: Any, z: Any) -> Any:
    v = m.vmap
    i = m.tensor([2, 0, 1, 2])
    j = m.tensor([[0, 1], [1, 1], [0, 0], [1, 0]])
    mask = m.tensor([True, False, True])
    return (
        v(lambda a, i: a[i])(x, i), v(lambda a, i: a[:, i], (0, 0))(x, j),
        v(lambda a, i: a[i, :, None])(x, i), v(lambda a, i: a[..., i])(x, j),
        v(lambda a: a[mask])(x), v(lambda a: a[[0, 2], [1, 0]])(x), v(lambda a: a[None, ..., 1])(x),
        v(lambda i: x[i])(i % 3), v(lambda i: x[:, i])(i), v(lambda i: x[0, :, i])(i % 2),
        v(lambda i: x[i, :, i])(i % 2), v(lambda a, i: a[i, i % 2])(x, i),
        v(lambda a: a[:, m.tensor([0, 1]), None])(x), v(lambda a: a[-1, 0])(x),
        v(lambda a: list(a))(x), v(lambda a, i: a.gather(0, i))(x, j[:, None]),
        v(lambda a, i: a.index_select(0, i), (0, None))(x, i),
        v(lambda a, i: m.take_along_dim(a, i, 1))(x, j[:, :1, None] % 2),
        v(lambda a: a.argmax(-1))(x), v(lambda i: m.nn.functional.embedding(i, z.t()))(i),
        v(lambda w: m.nn.functional.embedding(i, w))(x),
        v(lambda a, b: a.scatter_add(0, b, m.ones(1, 2).double()))(x, j[:, None]),
        v(lambda a: m.where(a > 0, a, 0.0))(x),
        v(lambda a, b: m.searchsorted(a, b), (None, 0))(z[0].sort()[0], x),
    )  # fmt: skip


def scalars(m: Any, x: Any, y: Any, z: Any) -> Any:
    """A sample without dimensions promotes as one, although its batch has a dimension."""
    v = m.vmap
    half = m.arange(4).to(m.float32)
    numbers = m.arange(4)
    return (
        v(lambda s: s * half)(z[0]), v(lambda s: half + s)(numbers), v(lambda s: s + 1)(numbers),
        v(lambda s: s * 1.5)(numbers), v(lambda s, t: s + t)(z[0], half),
        v(lambda s: s.softmax(0))(z[0]),
        v(lambda s: (s.sum(), s.max(), s.cumsum(0), s.mean(-1, keepdim=True)))(z[0]),
        v(lambda s: m.stack([s, s]))(z[0]), v(lambda s: s.sort())(z[0]),
        v(lambda s: s.var(unbiased=False))(z[0]),
        v(lambda s: s == half)(numbers), v(lambda s: s.pow(2.0))(numbers), v(lambda s: 2**s)(half),
    )  # fmt: skip


def jacobian_rows(m: Any, x: Any, y: Any, z: Any) -> Any:
    """Gradients of a graph made outside, weighted by samples."""
    x = x.clone().requires_grad_()
    result = (x**2).reshape(-1)[:4]
    rows = m.eye(len(result), dtype=x.dtype)
    grads = m.vmap(lambda v: m.autograd.grad(result, x, v, retain_graph=True))(rows)
    assert not grads[0].requires_grad
    return grads


@pytest.mark.parametrize(
    "program", [structures, writes, indexing, scalars, jacobian_rows], ids=lambda p: p.__name__
)
def test_same_as_pytorch(program: Any) -> None:
    import torch.utils._pytree

    theirs, ours = (
        arrays(m, program(m, *[m.from_numpy(a.copy()) for a in (X, Y, Z)])) for m in (torch, mg)
    )
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape, i
        assert a.dtype == b.dtype, i
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(i))


@both
def test_random_numbers(m: Any) -> None:
    x = m.zeros(64, 100)
    drop = lambda x: m.nn.functional.dropout(x + 1)  # noqa: E731
    for f in (lambda x: x + m.rand(100), lambda x: m.rand_like(x), drop, lambda x: x.uniform_(),
              lambda x: m.bernoulli(x + 0.5), lambda x: x + m.randperm(100),
              lambda x: m.normal(x, 1.0)):  # fmt: skip
        try:
            same = m.vmap(f, randomness="same")(x.clone())
        except RuntimeError as error:  # PyTorch cannot, for some
            assert m is torch and "does not currently support same" in str(error)
        else:
            assert bool((same == same[0]).all())
        different = m.vmap(f, randomness="different")(x.clone())
        assert not bool((different == different[0]).all(1)[1:].any())
        with pytest.raises(RuntimeError, match="randomness"):
            m.vmap(f)(x.clone())
    y = m.vmap(lambda x: m.rand(3), randomness="different")(x)
    assert y.shape == (64, 3)
    assert bool((m.vmap(lambda x: m.nn.functional.dropout(x, training=False))(x) == 0).all())
    nested = m.vmap(
        lambda x: m.vmap(lambda s: s + m.rand(()), randomness="different")(x), randomness="same"
    )(x)
    assert bool((nested == nested[0]).all()) and nested[0].unique().numel() > 90


def cube(m: Any, mapped: str) -> Any:
    class Cube(m.autograd.Function):
        generate_vmap_rule = mapped == "generated"

        @staticmethod
        def forward(x: Any) -> Any:
            return x**3

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            return grad * 3 * x**2

    if mapped == "own":

        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            assert info.batch_size == 4 and info.randomness == "error"
            assert in_dims == (0,)
            return Cube.apply(x), 0

        Cube.vmap = staticmethod(vmap)
    return Cube


@both
@pytest.mark.parametrize("mapped", ["generated", "own"])
def test_user_function(m: Any, mapped: str) -> None:
    function = cube(m, mapped)
    x = m.from_numpy(Z[0].copy())
    np.testing.assert_allclose(m.vmap(function.apply)(x).numpy(), Z[0] ** 3)
    g = m.func.grad(lambda x: m.vmap(function.apply)(x).sum())(x)
    np.testing.assert_allclose(g.numpy(), 3 * Z[0] ** 2)
    g = m.vmap(m.func.grad(function.apply))(x)
    np.testing.assert_allclose(g.numpy(), 3 * Z[0] ** 2)


@both
def test_user_function_without_rule(m: Any) -> None:
    with pytest.raises(RuntimeError, match="does not have vmap support"):
        m.vmap(cube(m, "none").apply)(m.ones(3))


def test_everything_is_disarmed_again() -> None:
    """Functions get their own code back once nothing has needed vmap for a while.

    In a process of its own: subclasses of other tests keep functions armed.
    """
    program = """
import minigrad as mg
before = mg.exp.__code__
mg.vmap(mg.exp)(mg.ones(3))
assert mg.exp.__code__ is not before
for _ in range(300):
    mg.exp(mg.ones(1))
assert mg.exp.__code__ is before
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_what_pytorch_cannot() -> None:
    """Masks of samples select where to write; a 0-d sample does not decide the dtype."""
    x = mg.from_numpy(X.copy())
    half = mg.arange(4, dtype=mg.float32)

    def write(a: Any) -> Any:
        a[a > 0.5] = 0.25
        return a

    got = mg.vmap(write)(x.clone())
    np.testing.assert_allclose(got.numpy(), np.where(X > 0.5, 0.25, X))
    assert mg.vmap(lambda s: mg.where(s > 0, half, s))(x[:, 0, 0]).dtype is mg.float32


def test_escaped_samples_are_refused() -> None:
    kept = []
    mg.vmap(lambda x: kept.append(x) or x)(mg.ones(3))
    with pytest.raises(RuntimeError, match="ended"):
        kept[0] + 1
    with pytest.raises(RuntimeError, match="ended"):
        kept[0].exp()


def test_the_common_operations_have_rules() -> None:
    """A loop over the batch would be right, too, but not fast."""
    looped = {name for name, f in mg.ops.CATALOGUE.items() if f not in _batched.RULES}
    common = {
        "matmul", "linear", "conv2d", "layer_norm", "softmax", "cross_entropy", "cat", "exp", "sum",
        "mean", "embedding", "gather", "einsum", "max_pool2d", "batch_norm",
    }  # fmt: skip
    assert not common & looped


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_broadcasting_of_samples(data: Any) -> None:
    """Operands of any ranks, batched or not, along any dimension."""
    shape = data.draw(st.lists(st.integers(1, 3), max_size=3))
    operands, dims = [], []
    for _ in range(2):
        start = data.draw(st.integers(0, len(shape)))
        own = [data.draw(st.sampled_from([n, 1])) for n in shape[start:]]
        dim = data.draw(st.none() | st.integers(0, len(own)))
        if dim is not None:
            own.insert(dim, 4)
        operands.append(mg.from_numpy(RNG.standard_normal(own)))
        dims.append(dim)
    if dims == [None, None]:
        return
    got = mg.vmap(lambda a, b: a * b + a, in_dims=tuple(dims))(*operands)
    rows = [
        [o if d is None else o.select(d, i) for o, d in zip(operands, dims, strict=True)]
        for i in range(4)
    ]
    wanted = mg.stack([a * b + a for a, b in rows])
    np.testing.assert_allclose(got.numpy(), wanted.numpy())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_matmul_of_samples(data: Any) -> None:
    ranks = [data.draw(st.integers(1, 4)) for _ in range(2)]
    batch = [2, 3]
    shapes = [[*batch[4 - max(r, 2) :], 4, 5][-r:] for r in ranks]
    shapes[1] = [5] if ranks[1] == 1 else [*shapes[1][:-2], 5, 3]
    if ranks[0] == 1:
        shapes[0] = [5]
    which = data.draw(st.sampled_from([(0, 0), (0, None), (None, 0)]))
    operands = [
        mg.from_numpy(RNG.standard_normal(s if w is None else [3, *s])).requires_grad_()
        for s, w in zip(shapes, which, strict=True)
    ]
    got = mg.vmap(mg.matmul, in_dims=which)(*operands)
    wanted = mg.stack(
        [
            mg.matmul(*[o if w is None else o[i] for o, w in zip(operands, which, strict=True)])
            for i in range(3)
        ]
    )
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), atol=1e-12)
    ours = mg.autograd.grad(got.sum(), operands)
    theirs = mg.autograd.grad(wanted.sum(), operands)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)


OPERATORS = """
1-x 2/x 2*x x*2 -x x+1 1+x x/2 x**2 2**x x@x x>0 abs(x) x-x x//2 x%2 ~(x>0) 7//x 7%x
""".split()  # noqa: SIM905


@pytest.mark.parametrize("expression", OPERATORS)
def test_operators_run_once_for_all_samples(
    monkeypatch: pytest.MonkeyPatch, expression: str
) -> None:
    x = mg.arange(1.0, 19.0).reshape(2, 3, 3)
    expected = mg.stack([eval(expression, {"x": sample}) for sample in x])  # noqa: S307

    def refuse(function: Any, args: tuple, kwargs: dict) -> Any:
        raise AssertionError(f"{function.__name__} ran for each sample")

    monkeypatch.setattr(_batched, "loop", refuse)
    result = mg.vmap(lambda x: eval(expression))(x)  # noqa: S307
    np.testing.assert_allclose(result.numpy(), expected.numpy(), rtol=1e-6)


def test_arguments_are_not_written_out() -> None:
    """A partial shows what it holds, which is needed in errors alone."""

    class Held:
        def __repr__(self) -> str:
            raise AssertionError("was written out")

    mapped = mg.vmap(functools.partial(lambda held, x: x + 1, Held()))
    assert mapped(mg.zeros(2)).tolist() == [1.0, 1.0]
