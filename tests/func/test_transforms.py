"""The transforms beside PyTorch's: each program runs with both libraries, on the same numbers."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import minigrad as mg
import minigrad.func

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)

RNG = np.random.default_rng(3)
A, B, C = (RNG.standard_normal(s) for s in ((5, 3), (3, 4), (5, 4)))
W = RNG.standard_normal((3, 3))


def tensors(m: Any, *arrays: Any) -> list:
    make = m.from_numpy
    return [make(np.array(a)) for a in arrays]


def flat(m: Any, tree: Any) -> list:
    if isinstance(tree, m.Tensor):
        return [tree.detach().numpy()]
    if isinstance(tree, dict):
        return [x for k in sorted(tree) for x in flat(m, tree[k])]
    if isinstance(tree, (list, tuple)):
        return [x for t in tree for x in flat(m, t)]
    return [np.asarray(tree)]


def grad_tuple(m: Any) -> Any:
    x, w = tensors(m, A, B)
    return m.func.grad(lambda x, w: (x @ w).tanh().sum(), argnums=(1, 0))(x, w)


def grad_aux_dict(m: Any) -> Any:
    x, w = tensors(m, A, B)

    def f(p: Any, x: Any) -> Any:
        y = (x @ p["w"] + p["b"]).sigmoid()
        return y.mean(), {"y": y, "n": x}

    return m.func.grad_and_value(f, has_aux=True)({"w": w, "b": m.zeros(4).double()}, x)


def grad_of_grad(m: Any) -> Any:
    (x,) = tensors(m, 0.7)
    f = lambda x: x.sin() * x  # noqa: E731
    g = m.func.grad
    return g(f)(x), g(g(f))(x), g(g(g(f)))(x), g(lambda x: x * g(lambda y: x * y * y)(x))(x)


def grad_stays_in_outer_graph(m: Any) -> Any:
    (x,) = tensors(m, 0.7)
    x.requires_grad_()
    y = m.func.grad(lambda x: x**3)(x)
    assert y.requires_grad
    y.backward()
    z = m.func.grad(lambda t: t**3)(x.detach())
    assert not z.requires_grad
    with m.no_grad():
        plain = m.func.grad(lambda x: x**3)(x)
    assert not plain.requires_grad
    return y, x.grad, z, plain


def no_grad_inside(m: Any) -> Any:
    (x,) = tensors(m, 0.7)

    def f(x: Any) -> Any:
        with m.no_grad():
            c = x**2
        return x - c

    return m.func.grad(f)(x)


def unused(m: Any) -> Any:
    x, w = tensors(m, A, B)
    return m.func.grad(lambda x, w: x.sum(), argnums=(0, 1))(x, w)


def closure_parameters(m: Any) -> Any:
    x, w = tensors(m, A, B)
    w.requires_grad_()
    g = m.func.grad(lambda x: (x @ w).pow(2).sum())(x)
    g.sum().backward()
    return g, w.grad


def vjp_several(m: Any) -> Any:
    x, w = tensors(m, A, B)
    out, pull, aux = m.func.vjp(
        lambda x, w: ({"a": x @ w, "b": x.sin()}, x + 1), x, w, has_aux=True
    )
    ones = {"a": m.ones_like(out["a"]), "b": m.ones_like(out["b"])}
    return out, pull(ones), aux, pull({"a": out["a"], "b": out["b"]})


def jvp_several(m: Any) -> Any:
    x, w, c = tensors(m, A, B, C)
    f = lambda x, w: ((x @ w).sin(), x.exp())  # noqa: E731
    return m.func.jvp(f, (x, w), (x.cos(), w * 2))


def linearized(m: Any) -> Any:
    x, w = tensors(m, A, B)
    out, push = m.func.linearize(lambda x, w: (x @ w).tanh(), x, w)
    return out, push(x, w), push(x * 2, w.sin())


def jacobians(m: Any) -> Any:
    x, w = tensors(m, A[0], W)
    f = lambda x, w: (w @ x).tanh()  # noqa: E731
    g = lambda x, w: {"y": (w @ x).tanh(), "z": x.sum()}  # noqa: E731
    t = m.func
    return (
        t.jacrev(f)(x, w), t.jacfwd(f)(x, w), t.jacrev(f, argnums=(0, 1))(x, w),
        t.jacfwd(f, argnums=(1, 0))(x, w), t.jacrev(g, argnums=1)(x, w), t.jacfwd(g)(x, w),
        t.jacrev(f, argnums=1, chunk_size=2)(x, w), t.jacrev(t.jacrev(f))(x, w),
        t.jacfwd(t.jacfwd(f))(x, w), t.jacrev(t.jacfwd(f))(x, w),
        t.jacrev(lambda x: (x.sin(), x + 1), has_aux=True)(x),
        t.jacfwd(lambda v: v["a"] * 2)({"a": x}),
    )  # fmt: skip


def hessians(m: Any) -> Any:
    x, w = tensors(m, A[0], W)
    f = lambda x, w: ((w @ x).tanh() ** 2).sum()  # noqa: E731
    return m.func.hessian(f)(x, w), m.func.hessian(f, argnums=(0, 1))(x, w)


def hessian_vector(m: Any) -> Any:
    x, w = tensors(m, A[0], W)
    f = lambda x: ((w @ x).tanh() ** 2).sum()  # noqa: E731
    t = m.func
    return (
        t.jvp(t.grad(f), (x,), (x * 2,))[1],
        t.vjp(t.grad(f), x)[1](x * 2),
        t.grad(lambda x: t.jvp(f, (x,), (w[0],))[1])(x),
    )


def batched_everything(m: Any) -> Any:
    x, w, c = tensors(m, A, W, C)
    t = m.func
    f = lambda x, w: (w @ x).tanh()  # noqa: E731
    value = lambda x: f(x, w).pow(2).sum()  # noqa: E731
    return (
        t.vmap(t.grad(value))(x), t.vmap(t.jacrev(f), (0, None))(x, w),
        t.vmap(t.jacfwd(f), (0, None))(x, w), t.vmap(t.hessian(value))(x),
        t.jacrev(lambda w: t.vmap(f, (0, None))(x, w))(w), t.jacfwd(t.vmap(value))(x),
        t.grad(lambda w: t.vmap(f, (0, None))(x, w).sum())(w),
        t.vmap(t.grad(lambda w, x: f(x, w).sum()), (None, 0))(w, x),
        t.vmap(lambda a: t.vmap(lambda b: a @ w @ b)(x))(x),
        t.vmap(t.vmap(t.grad(lambda a, b: (a * b).sin().sum()), (None, 0)), (0, None))(x, x),
        t.vmap(lambda v: t.vjp(f, x[0], w)[1](v))(w),
        t.vmap(lambda v: t.jvp(f, (x[0], w), (v, w))[1])(x),
        t.vmap(lambda x: t.grad(lambda y: (y * x.detach()).sum() + y.detach().sum())(x))(x),
        t.grad(lambda x: t.vmap(t.grad(lambda y: y**3))(x).sum())(x[0]),
    )  # fmt: skip


def rearranged(m: Any) -> Any:
    (x,) = tensors(m, np.arange(24.0).reshape(2, 3, 4))
    r = m.func.rearrange
    return (
        r(x, "a b c -> c a b"), r(x, "a b c -> (a b) c"), r(x, "a b (c d) -> d a b c", c=2),
        r(x, "a ... -> ... a"), r(x, "... c -> (...) c"), r(x, "a b c -> a 1 b c"),
        r([x[0], x[1]], "n b c -> b n c"), r(x, "a b c -> b (c a)"),
    )  # fmt: skip


PROGRAMS = [
    rearranged,
    grad_tuple, grad_aux_dict, grad_of_grad, grad_stays_in_outer_graph, no_grad_inside, unused,
    closure_parameters, vjp_several, jvp_several, linearized, jacobians, hessians, hessian_vector,
    batched_everything,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_same_as_pytorch(program: Any) -> None:
    import torch.func

    wanted, got = flat(torch, program(torch)), flat(mg, program(mg))
    assert len(got) == len(wanted)
    for g, w in zip(got, wanted, strict=True):
        assert g.shape == w.shape
        assert g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=1e-9, atol=1e-12)


X3 = np.arange(3.0)
BAD = {
    "grad of a vector": lambda m, x: m.func.grad(lambda x: x)(x),
    "grad of no tensor": lambda m, x: m.func.grad(lambda x: 3.0)(x),
    "grad by an integer": lambda m, x: m.func.grad(lambda x: x.sum())(m.arange(3)),
    "grad by no tensor": lambda m, x: m.func.grad(lambda x: x)(2.0),
    "argnums out of range": lambda m, x: m.func.grad(lambda x: x.sum(), argnums=1)(x),
    "argnums twice": lambda m, x: m.func.grad(lambda x, y: x.sum(), argnums=(0, -2))(x, x),
    "aux missing": lambda m, x: m.func.grad(lambda x: x.sum(), has_aux=True)(x),
    "aux of numbers": lambda m, x: m.func.grad(lambda x: (x.sum(), 3), has_aux=True)(x),
    "vjp of numbers": lambda m, x: m.func.vjp(lambda x: 3.0, x),
    "vjp, other structure": lambda m, x: m.func.vjp(lambda x: (x, x), x)[1](x),
    "vjp, other shape": lambda m, x: m.func.vjp(lambda x: x, x)[1](x[:2]),
    "jvp without a tuple": lambda m, x: m.func.jvp(lambda x: x, x, x),
    "jvp, too few tangents": lambda m, x: m.func.jvp(lambda x, y: x, (x, x), (x,)),
    "jvp, other shape": lambda m, x: m.func.jvp(lambda x: x, (x,), (x[:2],)),
    "jacrev chunk": lambda m, x: m.func.jacrev(lambda x: x, chunk_size=-1)(x),
    "in_dims float": lambda m, x: m.func.vmap(lambda x: x, in_dims=1.0)(x),
    "in_dims list": lambda m, x: m.func.vmap(lambda x: x, in_dims=[0])(x),
    "in_dims structure": lambda m, x: m.func.vmap(lambda x: x, in_dims=(0, 0))(x),
    "in_dims of a number": lambda m, x: m.func.vmap(lambda x, y: x, in_dims=(0, 0))(x, 1.0),
    "in_dims range": lambda m, x: m.func.vmap(lambda x: x, in_dims=1)(x),
    "nothing mapped": lambda m, x: m.func.vmap(lambda x: x, in_dims=None)(x),
    "all None": lambda m, x: m.func.vmap(lambda x: x, in_dims=(None,))(x),
    "no inputs": lambda m, x: m.func.vmap(lambda: m.ones(3))(),
    "sizes differ": lambda m, x: m.func.vmap(lambda x, y: x, in_dims=0)(x, x[:2]),
    "returns a number": lambda m, x: m.func.vmap(lambda x: 1)(x),
    "returns None": lambda m, x: m.func.vmap(lambda x: None)(x),
    "out_dims structure": lambda m, x: m.func.vmap(lambda x: (x, x), out_dims=(0, 0, 0))(x),
    "out_dims None": lambda m, x: m.func.vmap(lambda x: x, out_dims=None)(x),
    "out_dims range": lambda m, x: m.func.vmap(lambda x: x, out_dims=2)(x),
    "randomness": lambda m, x: m.func.vmap(lambda x: x, randomness="maybe")(x),
    "random": lambda m, x: m.func.vmap(lambda x: x + m.rand(1))(x),
    "random dropout": lambda m, x: m.func.vmap(lambda x: m.nn.functional.dropout(x))(x),
    "chunk": lambda m, x: m.func.vmap(lambda x: x, chunk_size=0)(x),
    "control flow": lambda m, x: m.func.vmap(lambda x: x if x > 0 else -x)(x),
    "item": lambda m, x: m.func.vmap(lambda x: x.item())(x),
    "float": lambda m, x: m.func.vmap(lambda x: float(x))(x),
    "tolist": lambda m, x: m.func.vmap(lambda x: x.tolist())(x),
    "numpy": lambda m, x: m.func.vmap(lambda x: x.numpy())(x),
    "allclose": lambda m, x: m.func.vmap(lambda x: m.allclose(x, x))(x),
    "unique": lambda m, x: m.func.vmap(m.unique)(x),
    "where": lambda m, x: m.func.vmap(lambda x: m.where(x > 0))(x),
    "out": lambda m, x: m.func.vmap(lambda x: m.add(x, 1, out=m.ones(())))(x),
    "requires_grad_": lambda m, x: m.func.vmap(lambda x: x.requires_grad_())(x),
    "backward": lambda m, x: m.func.vmap(lambda x: x.backward())(x),
    "nonzero": lambda m, x: m.func.vmap(lambda x: x.nonzero())(x),
    "masked_select": lambda m, x: m.func.vmap(lambda x: x[x > 0])(x),
    "shared write": lambda m, x: m.func.vmap(lambda x, y: y.add_(x), in_dims=(0, None))(x, x[0]),
    "shared index": lambda m, x: m.func.vmap(lambda x, y: y.copy_(x), in_dims=(0, None))(x, x[0]),
    "random fill": lambda m, x: m.func.vmap(
        lambda x: m.ones(2).normal_() + x, randomness="different"
    )(x),
    "rearrange names": lambda m, x: m.func.rearrange(x, "a -> b"),
    "rearrange ranks": lambda m, x: m.func.rearrange(x, "a b -> b a"),
    "rearrange arrow": lambda m, x: m.func.rearrange(x, "a"),
    "stack nothing": lambda m, x: m.func.stack_module_state([]),
    "functional_call list": lambda m, x: m.func.functional_call(m.nn.Linear(3, 2), 3, (x,)),
    "functional_call twice": lambda m, x: m.func.functional_call(
        m.nn.Linear(3, 2), [{"weight": x}, {"weight": x}], (x,)
    ),
    "functional_call strict": lambda m, x: m.func.functional_call(
        m.nn.Linear(3, 2), {"weight": x}, (x,), strict=True
    ),
    "functionalize": lambda m, x: m.func.functionalize(lambda x: x, remove="all")(x),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_same_errors(name: str) -> None:
    import torch.func

    with pytest.raises(Exception) as theirs:
        BAD[name](torch, torch.from_numpy(X3.copy()))
    with pytest.raises(type(theirs.value)):
        BAD[name](mg, mg.from_numpy(X3.copy()))
