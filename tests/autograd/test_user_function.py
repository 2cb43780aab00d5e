"""User-defined operations against PyTorch: what `autograd.Function` promises."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both, ones, values


@both
def test_function(m: Any) -> None:
    class Scale(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, k: float, unused: Any) -> Any:
            assert ctx.needs_input_grad == (True, False, False)
            ctx.save_for_backward(x)
            ctx.k = k
            assert not (x * 1).requires_grad
            return x * x * k

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            assert ctx.needs_input_grad == (True, False, False)
            (x,) = ctx.saved_tensors
            return grad * x * 2 * ctx.k, None, None

    x = m.tensor([3.0], requires_grad=True)
    y = Scale.apply(x, 2.0, "anything")
    assert y.grad_fn.name() == "ScaleBackward"
    (g,) = m.autograd.grad(y, x, create_graph=True)
    assert g.item() == 12
    assert m.autograd.grad(g, x)[0].item() == 4
    with m.autograd.no_grad():
        pass


@both
def test_function_with_setup_context(m: Any) -> None:
    class Square(m.autograd.Function):
        @staticmethod
        def forward(x: Any) -> Any:
            return x * x, x + 1

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
            (x,) = inputs
            ctx.save_for_backward(x, output[1])

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> Any:
            x, y = ctx.saved_tensors
            return g * 2 * x + h * (y - x)

    x = m.tensor([3.0], requires_grad=True)
    a, b = Square.apply(x)
    (a + b).backward()
    assert x.grad.item() == 7


@both
def test_function_outputs_without_gradient(m: Any) -> None:
    class Split(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            marked = x * 3
            ctx.mark_non_differentiable(marked)
            return x * 2, marked, m.tensor([1, 2]), x * 4

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
            assert values(d) == [0, 0]  # materialised
            assert values(b) == [0, 0]
            return a * 2

    x = ones(m, 2)
    a, b, c, d = Split.apply(x)
    assert [t.requires_grad for t in (a, b, c, d)] == [True, False, False, True]
    a.sum().backward()
    assert values(x.grad) == [2, 2]


@both
def test_function_without_materialised_gradients(m: Any) -> None:
    class Pair(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            assert b is None
            return a

    x = ones(m, 1)
    Pair.apply(x)[0].backward()
    assert values(x.grad) == [1]


@both
def test_function_none_gradients(m: Any) -> None:
    class Stop(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x + y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return None, g

    x, y = ones(m, 1), ones(m, 1)
    Stop.apply(x, y).backward()
    assert x.grad is None
    assert values(y.grad) == [1]


@both
def test_function_mark_dirty(m: Any) -> None:
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            with m.autograd.no_grad():
                x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    x = ones(m, 2)
    y = x * 1
    z = Double.apply(y)
    assert z is y
    z.sum().backward()
    assert values(x.grad) == [2, 2]


@both
def test_function_returning_its_input(m: Any) -> None:
    class Same(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 5

    x = ones(m, 1)
    y = Same.apply(x)
    assert y is not x
    y.backward()
    assert values(x.grad) == [5]


@both
def test_once_differentiable(m: Any) -> None:
    from importlib import import_module

    once = import_module(f"{m.__name__}.autograd.function").once_differentiable

    class Cube(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        @once
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    x = m.tensor([2.0], requires_grad=True)
    Cube.apply(x).backward()
    assert x.grad.item() == 12
    y = Cube.apply(x)
    (g,) = m.autograd.grad(y * y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


@both
def test_function_errors(m: Any) -> None:
    class Wrong(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, what: str) -> Any:
            ctx.what = what
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            if ctx.what == "count":
                return g, None, g
            if ctx.what == "shape":
                return m.ones(7), None
            return "text", None

    for what in ("count", "shape", "type"):
        with pytest.raises((RuntimeError, TypeError)):
            Wrong.apply(ones(m, 2), what).sum().backward()

    class Saves(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(3)
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g

    with pytest.raises(TypeError, match="save_for_backward"):
        Saves.apply(ones(m, 1))

    class Keeps(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0]

    x = ones(m, 1)
    y = x * 1
    z = Keeps.apply(y)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        z.backward()
    z = Keeps.apply(x)
    z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.backward()
    with pytest.raises(NotImplementedError):
        m.autograd.Function.apply(x)


@both
def test_function_writes_must_be_returned(m: Any) -> None:
    class Writes(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, back: bool) -> Any:
            x.mul_(2)
            ctx.mark_dirty(x)
            return x if back else x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2, None

    with pytest.raises(RuntimeError, match="marked as dirty"):
        Writes.apply(ones(m, 1) * 1, False)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        Writes.apply(ones(m, 1), True)
    x = ones(m, 2)
    y = x * 1
    part = y[:1]
    assert Writes.apply(part, True) is part
    y.sum().backward()
    assert values(x.grad) == [2, 1]
    with m.no_grad():
        z = m.ones(1)
        Writes.apply(z, True)
    assert z._version == 2


@both
def test_function_saves_what_it_wrote(m: Any) -> None:
    class Exp(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            assert ctx.saved_tensors == ()
            x.exp_()
            ctx.mark_dirty(x)
            ctx.save_for_backward(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.saved_tensors[0]

    x = m.zeros(2, requires_grad=True)
    (g,) = m.autograd.grad(Exp.apply(x * 1).sum(), x, create_graph=True)
    assert values(g) == [1, 1]
    assert values(m.autograd.grad(g.sum(), x)[0]) == [1, 1]
    y = Exp.apply(x * 1)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.sum().backward()


@both
def test_function_results_that_are_no_tensors(m: Any) -> None:
    class Mixed(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2, None, 5

        @staticmethod
        def backward(ctx: Any, g: Any, none: Any, five: Any) -> Any:
            assert none is None and five is None
            return g * 2

    x = ones(m, 1)
    y, none, five = Mixed.apply(x)
    assert none is None and five == 5
    y.backward()
    assert values(x.grad) == [2]


@both
def test_function_input_marked_constant(m: Any) -> None:
    class Marks(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_non_differentiable(x)
            return x, x * 2

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            return b * 2

    a, b = Marks.apply(ones(m, 1))
    assert not a.requires_grad
    assert b.requires_grad


@both
def test_function_keywords_and_needs(m: Any) -> None:
    seen: list = []

    class Scale(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any, k: float = 2) -> Any:
            seen.append((ctx.needs_input_grad[:2], type(ctx).__name__))
            ctx.k = k
            return x * k + y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.k, g, None

    x, y = ones(m, 1), ones(m, 1, grad=False)
    Scale.apply(x, y, k=3).backward()
    assert values(x.grad) == [3]
    with m.no_grad():
        assert not Scale.apply(x, y).requires_grad
    assert seen == [((True, False), "ScaleBackward")] * 2


@both
def test_function_gradient_of_what_is_no_tensor(m: Any) -> None:
    class Extra(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, k: float) -> Any:
            return x * k

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g, g

    with pytest.raises(RuntimeError, match="position 2, but the corresponding forward input"):
        Extra.apply(ones(m, 1), 2.0).backward()
