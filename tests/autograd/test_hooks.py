"""Hooks of tensors and nodes against PyTorch: order, removal, retained gradients."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both, ones, values


@both
def test_tensor_hooks(m: Any) -> None:
    x = ones(m, 2)
    y = x * 2
    seen: list = []
    first = y.register_hook(lambda g: seen.append(values(g)))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(values(g)))
    x.register_hook(lambda g: g + 1)
    y.sum().backward(retain_graph=True)
    assert seen == [[1, 1], [10, 10]]
    assert values(x.grad) == [21, 21]
    first.remove()
    first.remove()
    seen.clear()
    y.sum().backward()
    assert seen == [[10, 10]]
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        m.ones(1).register_hook(lambda g: None)


@both
def test_a_hook_runs_once_on_the_whole_gradient(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    x.register_hook(lambda g: seen.append(values(g)))
    (x * 2 + x * 3).backward()
    assert seen == [[5]]


@both
def test_hook_handles_are_contexts(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    with x.register_hook(lambda g: seen.append(1)):
        (x * 1).backward()
    (x * 1).backward()
    assert seen == [1]


@both
def test_retain_grad(m: Any) -> None:
    x = ones(m, 2)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    (y * 3).sum().backward(retain_graph=True)
    assert values(y.grad) == [3, 3]
    (y * 3).sum().backward()
    assert values(y.grad) == [6, 6]
    x.retain_grad()
    with pytest.raises(RuntimeError, match="retain_grad"):
        m.ones(1).retain_grad()


@both
def test_hooks_and_retained_gradients_in_order(m: Any) -> None:
    x = ones(m, 1)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.register_hook(lambda g: g * 3)
    y.backward()
    assert values(y.grad) == [6]
    assert values(x.grad) == [12]


@both
def test_post_accumulate_hooks(m: Any) -> None:
    x = ones(m, 2)
    seen: list = []

    def hook(t: Any) -> None:
        seen.append((t is x, values(t.grad)))
        t.grad = None

    handle = x.register_post_accumulate_grad_hook(hook)
    (x * 2).sum().backward()
    assert seen == [(True, [2, 2])]
    assert x.grad is None
    handle.remove()
    (x * 2).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="non-leaf"):
        (x * 2).register_post_accumulate_grad_hook(hook)


@both
def test_node_hooks(m: Any) -> None:
    x = ones(m, 1)
    y = x * 2
    seen: list = []
    y.grad_fn.register_hook(lambda gi, go: seen.append((values(gi[0]), values(go[0]))))
    y.grad_fn.register_prehook(lambda go: (go[0] * 2,))
    y.backward()
    assert seen == [([4], [2])]
    assert values(x.grad) == [4]


@both
def test_graph_can_be_walked(m: Any) -> None:
    x = ones(m, 1)
    y = (x * 2) + 1
    assert y.grad_fn.name() == "AddBackward0"
    inner = y.grad_fn.next_functions[0][0]
    assert inner.name() == "MulBackward0"
    leaf = inner.next_functions[0][0]
    assert leaf.name().endswith("AccumulateGrad")
    assert leaf.variable is x


@both
def test_post_accumulate_hooks_wait_for_the_whole_gradient(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append(values(t.grad)))
    (x * 2 + x * 3).backward()
    (x * 2 + x * 3).backward(create_graph=True)
    assert seen == [[5], [10]]
    handle.remove()
    handle = x.register_post_accumulate_grad_hook(lambda t: t.grad)
    with pytest.raises(RuntimeError, match="should return None"):
        (x * 1).backward()
    handle.remove()
    handle = x.register_post_accumulate_grad_hook(lambda t: t.sub_(1))
    (x * 1).backward()
    handle.remove()
    assert values(x) == [0]
    x.register_post_accumulate_grad_hook(lambda t: 1)
    with pytest.raises(TypeError, match="hook returned 'int'"):
        (x * 1).backward()


@both
def test_hooks_of_a_leafs_node(m: Any) -> None:
    x = ones(m, 1)
    y = x * 3
    node = y.grad_fn.next_functions[0][0]
    seen: list = []
    node.register_hook(lambda gi, go: seen.append(("after", gi, values(go[0]), values(x.grad))))
    node.register_prehook(lambda go: seen.append(("before", values(go[0]))))
    x.register_hook(lambda g: seen.append("tensor"))
    y.backward()
    assert seen == ["tensor", ("before", [3]), ("after", (), [3], [3])]


@both
def test_hooks_must_keep_shape_and_type(m: Any) -> None:
    for result, message in ((m.ones(3), "size"), (m.ones(2, dtype=m.float64), "type")):
        x = ones(m, 2)
        x.register_hook(lambda g, result=result: result)
        with pytest.raises(RuntimeError, match=f"has changed the {message} of value"):
            (x * 1).sum().backward()
        assert x.grad is None


@both
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_nodes_hook_may_return(m: Any, create_graph: bool) -> None:
    good = m.full((2,), 7.0)
    for result, error, message in (
        (good, TypeError, "expected tuple, but hook returned '.*Tensor'"),
        ((good, "x"), TypeError, "expected Variable, but hook returned 'str'"),
        ((good,) * 3, RuntimeError, "incorrect number of values"),
        ((m.ones(3), good), RuntimeError, "has changed the size of value"),
        ((good, good.double()), RuntimeError, "has changed the type of value"),
    ):
        x, y = ones(m, 2), ones(m, 2)
        product = x * y
        product.grad_fn.register_hook(lambda gi, go, result=result: result)
        with pytest.raises(error, match=message):
            product.sum().backward(create_graph=create_graph)
        assert x.grad is None and y.grad is None
    product = ones(m, 2) * m.ones(2)
    product.grad_fn.register_hook(lambda gi, go: (gi[0], good))
    with pytest.raises(RuntimeError, match="replace a None gradient"):
        product.sum().backward()
    x = ones(m, 2)
    product = x * 2
    product.grad_fn.register_prehook(lambda go: good)
    with pytest.raises(TypeError, match="expected tuple"):
        product.sum().backward()


@both
def test_hooks_of_a_function_see_all_that_it_returned(m: Any) -> None:
    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            return a * b

        @staticmethod
        def backward(ctx: Any, g: Any) -> tuple:
            return g, g * 3

    seen: list = []
    out = Product.apply(ones(m, 2), m.ones(2))  # the second takes no gradient
    out.grad_fn.register_hook(lambda gi, go: seen.append([values(g) for g in gi]))
    out.sum().backward()
    assert seen == [[[1, 1], [3, 3]]]


@both
def test_hooks_survive_switching_requires_grad(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    x.register_hook(lambda g: seen.append(1))
    y = x * 2
    x.requires_grad_(False)
    y.backward(retain_graph=True)
    assert x.grad is None
    x.requires_grad_()
    (x * 2).backward()
    assert values(x.grad) == [2]
    assert seen[-1:] == [1]


@both
def test_hooks_of_inputs_of_grad(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    x.register_hook(lambda g: g * 10)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: seen.append(1))
    z = y * 3
    assert values(m.autograd.grad(z, y, retain_graph=True)[0]) == [3]
    assert not seen  # y's own node does not run
    assert values(m.autograd.grad(z, x)[0]) == [60]
    assert seen == [1]
