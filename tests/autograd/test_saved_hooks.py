"""`autograd.graph`: what is saved for backward passes through hooks; hooks on several gradients."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from optable import ROWS
from optable.row import Row
from pair import both, leaf, values
from test_ops import call_ours, differentiable, ours, weights

import minigrad as mg


@both
def test_what_hooks_see_and_return(m: Any) -> None:
    graph = m.autograd.graph
    x = leaf(m, [0.3, -0.7, 1.1])
    seen: list = []

    def pack(t: Any) -> Any:
        seen.append((values(t), t.requires_grad, t.grad_fn is None, m.is_grad_enabled()))
        return t.detach().numpy().copy()

    def unpack(a: Any) -> Any:
        seen.append("unpacked")
        return m.from_numpy(a) * 2

    with graph.saved_tensors_hooks(pack, unpack):
        s = x.sin()
        y = s.exp()
    assert seen == [(values(x), True, True, False), (values(y), True, False, False)]
    (y * 3).sum().backward()
    assert seen[2:] == ["unpacked"] * 2
    array = np.array(values(x))
    expected = 3 * 2 * np.exp(np.sin(array)) * np.cos(2 * array)
    np.testing.assert_allclose(values(x.grad), expected, rtol=1e-12)
    x.exp()
    assert len(seen) == 4


@both
def test_the_innermost_pair_is_used_and_threads_have_their_own(m: Any) -> None:
    hooks = m.autograd.graph.saved_tensors_hooks
    x = leaf(m, [1.0])
    seen: list = []

    def noting(name: str) -> Any:
        return hooks(lambda t: seen.append(name) or t, lambda t: t)

    with noting("outer"):
        x.exp()
        with noting("inner"):
            x.exp()
        x.exp()
        thread = threading.Thread(target=lambda: x.exp().sum().backward())
        thread.start()
        thread.join()
        with m.no_grad():
            x.exp()
    assert seen == ["outer", "inner", "outer"]


@both
def test_second_gradients_go_through_the_hooks(m: Any) -> None:
    x, w = leaf(m, [0.5, -1.5]), leaf(m, [2.0, 0.25])

    def through() -> tuple:
        y = ((x * w).exp() * x).sigmoid().sum()
        (g,) = m.autograd.grad(y, x, create_graph=True)
        return m.autograd.grad((g * g).sum(), (x, w))

    with m.autograd.graph.saved_tensors_hooks(lambda t: t.clone().numpy(), m.from_numpy):
        got = through()
    for a, b in zip(got, through(), strict=True):
        assert values(a) == values(b)


@both
def test_user_functions(m: Any) -> None:
    class Cube(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            out = x * x * x
            ctx.save_for_backward(x, out, None)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, out, nothing = ctx.saved_tensors
            assert nothing is None and out.grad_fn is not None
            return g * 3 * x * x

    x = leaf(m, [0.5, 2.0])
    seen: list = []
    with m.autograd.graph.saved_tensors_hooks(
        lambda t: seen.append(values(t)) or t.detach().clone(), lambda t: t + 1
    ):
        y = Cube.apply(x)
    assert seen == [[0.5, 2.0], [0.125, 8.0]]
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    assert values(g) == [3 * 1.5**2, 3 * 9.0]


@both
def test_hooks_that_do_what_they_must_not(m: Any) -> None:
    graph = m.autograd.graph
    x = leaf(m, [1.0, 2.0])
    with (
        graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t),
        pytest.raises(RuntimeError, match="modifying its input in place"),
    ):
        x.detach().requires_grad_().sin()
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.exp()
    with pytest.raises(TypeError, match="expected to be a Tensor but got result of type int"):
        y.sum().backward()
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), graph.save_on_cpu():
            pass
        x.exp().sum().backward()
    with (
        graph.save_on_cpu(),
        pytest.raises(RuntimeError, match="not here"),
        graph.disable_saved_tensors_hooks("not here"),
    ):
        pass


@both
def test_save_on_cpu_and_mutation(m: Any) -> None:
    graph = m.autograd.graph
    x = leaf(m, [1.0, 2.0])
    with graph.save_on_cpu(pin_memory=False):
        y = x.exp() * x
    y.sum().backward()
    np.testing.assert_allclose(values(x.grad), np.exp([1, 2]) * [2, 3], rtol=1e-12)
    with graph.allow_mutation_on_saved_tensors() as context:
        a = leaf(m, [1.0, 2.0])
        b = a.clone()
        out = b**2 + b.exp()
        b.sin_()
        out.sum().backward(retain_graph=True)
        np.testing.assert_allclose(values(a.grad), [2 + np.e, 4 + np.e**2], rtol=1e-12)
        with (
            pytest.raises(RuntimeError, match="cannot be nested"),
            graph.allow_mutation_on_saved_tensors(),
        ):
            pass
    assert context is not None
    with pytest.raises(AssertionError, match="outside of the 'allow_mutation_on_saved_tensors'"):
        out.sum().backward()


@both
def test_hooks_on_several_gradients(m: Any) -> None:
    register = m.autograd.graph.register_multi_grad_hook
    a, b, c = leaf(m, [1.0]), leaf(m, [2.0]), leaf(m, [3.0])
    seen: list = []

    def note(grads: Any) -> None:
        seen.append([None if g is None else values(g) for g in grads])

    handle = register((a, b, c), note)
    (a * b).sum().backward()
    assert seen == [[[2.0], [1.0], None]]
    (c * c).sum().backward()
    assert seen[1:] == [[None, None, [6.0]]]
    handle.remove()
    y, z = a * 2, b * 3
    with register([y, z], note):
        m.autograd.grad((y * z * c).sum(), (a, c), retain_graph=True)
        m.autograd.grad((y * z * c).sum(), (a, b, c))
    assert seen[2:] == [[[18.0], None], [[18.0], [6.0]]]
    (a * b * c).sum().backward()
    assert len(seen) == 4
    firsts: list = []
    register([a, b], lambda g: firsts.append(values(g)), mode="any")
    (a * b).sum().backward()
    (a * b).sum().backward()
    assert len(firsts) == 2
    with pytest.raises(ValueError, match="Expects mode to be one of"):
        register([a], note, mode="some")
    with pytest.raises(AssertionError, match="gradient function"):
        register([m.zeros(1)], note)


@both
def test_notes_on_nodes(m: Any) -> None:
    y = leaf(m, [1.0]).exp()
    y.grad_fn.metadata["name"] = 3
    assert y.grad_fn.metadata == {"name": 3}


DIFFERENTIABLE = [row for row in ROWS if row.grad and "float64" in row.dtypes]


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=[row.id for row in DIFFERENTIABLE])
def test_every_operation_finds_again_what_it_saved(row: Row) -> None:
    """Gradients are the same when every saved array takes the way through a copy."""

    def gradients() -> list:
        got, leaves = call_ours(row, "float64", grad=True)
        outs = differentiable(got)
        return [outs, [ours(w, "float64") for w in weights(outs, 1)], leaves]

    def run(outs: list, directions: list, leaves: list) -> list:
        inputs = [t for t in leaves if t.requires_grad]
        grads = mg.autograd.grad(outs, inputs, directions, allow_unused=True)
        return [None if g is None else g.numpy() for g in grads]

    expected = run(*gradients())
    with mg.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy().copy(), mg.from_numpy):
        recorded = gradients()
    for a, b in zip(run(*recorded), expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-14)
