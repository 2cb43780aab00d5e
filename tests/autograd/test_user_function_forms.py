"""Rarer forms of user-defined operations against PyTorch: `vjp`, ways of saving, in place."""

from __future__ import annotations

from typing import Any

import pytest
from pair import both, ones, values


@both
def test_function_with_vjp(m: Any) -> None:
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def vjp(ctx: Any, grad: Any) -> Any:
            return grad * 2

    class Both(Double):
        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad

    x = ones(m, 2)
    assert values(m.autograd.grad(Double.apply(x).sum(), x)[0]) == [2, 2]
    with pytest.raises(RuntimeError, match="Implementing both 'backward' and 'vjp'"):
        Both.apply(x).sum().backward()


@both
def test_function_that_saves_nothing_runs_backward_again(m: Any) -> None:
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_forward(x)  # is no part of the graph
            ctx.factor = x.new_full((), 2)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * ctx.factor

    x = ones(m, 2)
    y = Double.apply(x)
    y.sum().backward()
    y.sum().backward()
    assert values(x.grad) == [4, 4]


@both
def test_function_with_both_ways_of_saving(m: Any) -> None:
    class Square(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x, None)
            ctx.save_for_forward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            x, nothing = ctx.saved_tensors
            assert nothing is None
            return grad * 2 * x

    x = ones(m, 2)
    Square.apply(x).sum().backward()
    assert values(x.grad) == [2, 2]


@both
def test_inplace_function(m: Any) -> None:
    class Double(m.autograd.function.InplaceFunction):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    x = ones(m, 2)
    Double.apply(x * 1).sum().backward()
    assert values(x.grad) == [2, 2]


@both
@pytest.mark.parametrize("mark", ["mark_dirty", "mark_non_differentiable"])
def test_marks_are_for_tensors(m: Any, mark: str) -> None:
    class Marks(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            getattr(ctx, mark)(3)
            return x * 1

    with pytest.raises(RuntimeError, match=f"{mark} (can )?only accept"):
        Marks.apply(ones(m, 2))
