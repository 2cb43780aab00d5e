"""`backward` and `grad` against PyTorch: accumulation, inputs, graphs of graphs, errors."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both, ones, values


@both
def test_gradients_add_up(m: Any) -> None:
    x = ones(m, 2)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    assert values(x.grad) == [5, 5]
    y = x * x
    (y + y * x).sum().backward()
    assert values(x.grad) == [10, 10]


@both
def test_gradient_argument(m: Any) -> None:
    x = ones(m, 2)
    (x * 3).backward(m.tensor([1.0, 2.0]))
    assert values(x.grad) == [3, 6]
    m.autograd.backward([x * 1, x * 2], [m.ones(2), m.ones(2)])
    assert values(x.grad) == [6, 9]


@both
def test_backward_inputs(m: Any) -> None:
    x, y = ones(m, 1), ones(m, 1)
    z = x * y
    (z * 2).backward(inputs=[x, z])
    assert y.grad is None
    assert values(x.grad) == [2]
    assert values(z.grad) == [2]
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * y).backward(inputs=[])


@both
def test_grad(m: Any) -> None:
    x, y = ones(m, 2), ones(m, 2)
    z = x * y * 2
    gx, gy = m.autograd.grad(z.sum(), [x, y])
    assert values(gx) == values(gy) == [2, 2]
    assert x.grad is None
    (g,) = m.autograd.grad([x * 2, x * 3], x, [m.ones(2), m.ones(2)])
    assert values(g) == [5, 5]
    middle = x * 2
    (g,) = m.autograd.grad((middle * middle).sum(), middle)
    assert values(g) == [4, 4]
    same = m.autograd.grad(x.sum(), [x, x])
    assert values(same[0]) == values(same[1]) == [1, 1]


@both
def test_unused_inputs(m: Any) -> None:
    x, y = ones(m, 2), ones(m, 2)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        m.autograd.grad(x.sum(), [x, y])
    gx, gy = m.autograd.grad(x.sum(), [x, y], allow_unused=True)
    assert gy is None
    gx, gy = m.autograd.grad(x.sum(), [x, y], materialize_grads=True)
    assert values(gy) == [0, 0]
    with pytest.raises(RuntimeError, match="does not require grad"):
        m.autograd.grad(x.sum(), m.ones(2))
    with pytest.raises(ValueError, match="materialize_grads"):
        m.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True)


@both
def test_create_graph(m: Any) -> None:
    x = m.tensor([2.0], requires_grad=True)
    (g,) = m.autograd.grad(x * x * x, x, create_graph=True)
    assert g.requires_grad
    (h,) = m.autograd.grad(g, x, create_graph=True)
    (i,) = m.autograd.grad(h, x)
    assert (g.item(), h.item(), i.item()) == (12, 12, 6)
    assert not i.requires_grad
    y = x * x
    y.backward(create_graph=True)
    assert x.grad.requires_grad
    x.grad = None


@both
def test_retain_graph(m: Any) -> None:
    x = ones(m, 1)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad) == [4]
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


@both
def test_errors(m: Any) -> None:
    x = ones(m, 2)
    with pytest.raises(RuntimeError, match="implicitly created only for scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        m.ones(1).backward()
    with pytest.raises(RuntimeError, match="[Mm]ismatch in shape"):
        (x * 2).backward(m.ones(3))
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        x.mul_(2)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        x[0:1].mul_(2)
    y = x * 2
    z = y * y
    y.mul_(3)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="leaf variables"):
        (x * 2).requires_grad_(False)
    with pytest.raises(RuntimeError, match="floating point"):
        m.tensor([1]).requires_grad_()
    with pytest.raises(RuntimeError, match="detach"):
        (x * 2).numpy()
    for bad in ("text", m.ones(3), m.ones(2, dtype=m.float64)):
        with pytest.raises((TypeError, RuntimeError)):
            x.grad = bad
    assert x.grad is None


@both
def test_the_state_is_whole_after_a_failed_backward(m: Any) -> None:
    class Fails(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            raise KeyError("here")

    x = ones(m, 1)
    with pytest.raises(KeyError, match="here"):
        Fails.apply(x).backward()
    assert (x * 1).requires_grad
    (x * 2).backward()
    assert values(x.grad) == [2]


@both
def test_detach_leaf_and_version(m: Any) -> None:
    x = ones(m, 2)
    d = (x * 2).detach()
    assert d.is_leaf
    assert not d.requires_grad
    assert d.grad_fn is None
    y = x * 2
    assert not y.is_leaf
    assert type(y.grad_fn).__name__.startswith("Mul") or y.grad_fn.name() == "MulBackward0"
    assert y.grad_fn.name() == "MulBackward0"
    before = y._version
    with m.autograd.no_grad():
        y.mul_(2)
    assert y._version == before + 1
    e = y.detach()
    e.mul_(2)
    assert y._version == before + 2
    assert values(y) == [8, 8]


@both
def test_shared_leaf_with_itself_as_operands(m: Any) -> None:
    x = m.tensor([3.0], requires_grad=True)
    (x * x + x).backward()
    assert x.grad.item() == 7


@both
def test_grad_shares_no_memory(m: Any) -> None:
    x, y = ones(m, 3), ones(m, 3)
    g = m.ones(3)
    (x + y).backward(g)
    x.grad.mul_(5)
    assert values(y.grad) == values(g) == [1, 1, 1]


@both
def test_inputs_of_backward_keep_their_gradient(m: Any) -> None:
    x = ones(m, 1)
    y = x * 2
    (y * 3).backward(inputs=[y])
    assert y.retains_grad
    assert values(y.grad) == [3]
    assert x.grad is None
    with pytest.raises(RuntimeError, match="retain_grad"):
        (x * 1).backward(inputs=[m.ones(1)])


@both
def test_bad_inputs_of_grad(m: Any) -> None:
    x = ones(m, 1)
    with pytest.raises(RuntimeError, match="cannot be empty"):
        m.autograd.grad(x * 1, [])
    with pytest.raises(RuntimeError, match="Tensor at index 1 appears to not have been used"):
        m.autograd.grad(x * 1, [x, ones(m, 1)])
    with pytest.raises(TypeError):
        m.autograd.grad(x * 1, 3)
    (g,) = m.autograd.grad(x * 2, [x], create_graph=True, materialize_grads=True)
    zero = m.autograd.grad(x * 2, ones(m, 2), create_graph=True, materialize_grads=True)[0]
    assert zero.requires_grad
    with pytest.raises(RuntimeError, match="as its own grad"):
        x.grad = x
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert (x * 1).grad is None


@both
@pytest.mark.filterwarnings("error")
def test_infinities_are_summed_silently(m: Any) -> None:
    x = m.tensor([3e38, 1.0], requires_grad=True)
    y = x * 1
    (y * 3e38 + y * 3e38).sum().backward()
    assert values(x.grad)[0] == float("inf")


@both
def test_rows_of_gradients(m: Any) -> None:
    x = m.tensor([2.0, 3.0], requires_grad=True)
    y = x * x
    (g,) = m.autograd.grad(y, x, m.eye(2), is_grads_batched=True, retain_graph=True)
    assert values(g) == [[4, 0], [0, 6]]
    (g,) = m.autograd.grad(y, x, m.eye(2), is_grads_batched=True, create_graph=True)
    assert values(m.autograd.grad(g.sum(), x)[0]) == [2, 2]
    unused = m.autograd.grad(
        x * x, [x, ones(m, 1)], m.ones(3, 2), is_grads_batched=True, allow_unused=True
    )
    assert unused[1] is None
    assert list(unused[0].shape) == [3, 2]


@both
def test_gradients_that_nobody_asked_for_are_not_computed(m: Any) -> None:
    x, y = ones(m, 2, 3), ones(m, 3, 2)
    z = x @ y
    seen: list = []
    z.grad_fn.register_hook(lambda grads, _: seen.append([g is None for g in grads]))
    m.autograd.grad(z.sum(), [x], retain_graph=True)
    m.autograd.grad(z.sum(), [y], retain_graph=True)
    z.sum().backward(retain_graph=True)
    assert seen == [[False, True], [True, False], [False, False]]
    (first,) = m.autograd.grad((z * z).sum(), [x], create_graph=True)
    assert values(m.autograd.grad(first.sum(), [y])[0]) == values(m.full((3, 2), 24.0))


@both
def test_grad_takes_any_iterable_of_inputs(m: Any) -> None:
    parameters = {"a": m.ones(2, requires_grad=True), "b": m.ones(2, requires_grad=True)}
    for inputs in (parameters.values(), (p for p in parameters.values())):
        loss = (parameters["a"] * 2 + parameters["b"] * 3).sum()
        a, b = m.autograd.grad(loss, inputs)
        assert a.tolist() == [2, 2] and b.tolist() == [3, 3]
    for nothing in (None, 3):
        with pytest.raises(TypeError):
            m.autograd.grad(loss, nothing)


@both
def test_backward_takes_any_iterable_and_the_old_name_of_its_gradients(m: Any) -> None:
    x = ones(m, 2)
    m.autograd.backward(y for y in [x.sum(), (x * 2).sum()])
    assert values(x.grad) == [3, 3]
    with pytest.warns(FutureWarning, match="grad_variables"):
        m.autograd.backward(x.sum(), grad_variables=m.tensor(2.0))
    assert values(x.grad) == [5, 5]
    with pytest.raises(RuntimeError, match="both passed"):
        m.autograd.backward(x.sum(), m.tensor(2.0), grad_variables=m.tensor(2.0))
    z = ones(m, 2)
    m.autograd.backward((x * z).sum(), None, None, False, None, [z])
    assert (values(x.grad), values(z.grad)) == ([5, 5], [1, 1])


@both
def test_gradient_edges(m: Any) -> None:
    edge = m.autograd.graph.get_gradient_edge
    x = ones(m, 3)
    y = x * 2
    part = y.split([1, 2])[1]
    assert values(m.autograd.grad((y * y).sum(), [edge(y)])[0]) == [4, 4, 4]
    assert values(m.autograd.grad((part * 3).sum(), edge(part), retain_graph=True)[0]) == [3, 3]
    assert values(m.autograd.grad(edge(part), x, m.ones(2), retain_graph=True)[0]) == [0, 2, 2]
    m.autograd.backward(y.sum(), inputs=edge(x))
    assert values(x.grad) == [2, 2, 2]
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        m.autograd.grad((x * 3).sum(), edge(y))
