"""`library`: operations that programs register, with gradients of their own."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import minigrad as mg


@pytest.fixture(params=["minigrad", "torch"])
def lib(request: Any) -> Any:
    pytest.importorskip(request.param)
    return importlib.import_module(request.param)


def test_an_operation_with_a_gradient(lib: Any) -> None:
    Tensor = lib.Tensor

    def sine(x: Tensor) -> Tensor:
        return lib.from_numpy(np.sin(x.numpy()))

    sine.__annotations__ = {"x": Tensor, "return": Tensor}
    op = lib.library.custom_op("tests_a::sine", sine, mutates_args=())
    op.register_fake(lambda x: lib.empty_like(x))
    x = lib.linspace(0, 1, 4, requires_grad=True)
    y = op(x)
    np.testing.assert_allclose(y.detach().numpy(), np.sin(x.detach().numpy()), rtol=1e-6)
    with pytest.raises(RuntimeError, match="no autograd formula was registered"):
        y.sum().backward()
    lib.library.register_autograd(
        "tests_a::sine",
        lambda ctx, grad: grad * ctx.saved_tensors[0].cos(),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    y = lib.ops.tests_a.sine(x)
    assert y.grad_fn.name() == "GeneratedBackwardFor_tests_a_sine_defaultBackward"
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(x.detach().numpy()), rtol=1e-6)
    assert not op(x.detach()).requires_grad


def test_keywords_and_several_results(lib: Any) -> None:
    Tensor = lib.Tensor

    def scale(x: Tensor, a: float, b: float = 2.0) -> tuple[Tensor, Tensor]:
        return x * a, x * b

    scale.__annotations__ = {"x": Tensor, "a": float, "b": float, "return": tuple[Tensor, Tensor]}
    op = lib.library.custom_op("tests_b::scale", mutates_args=())(scale)

    def setup(ctx: Any, inputs: tuple, output: Any) -> None:
        ctx.factors = inputs[1:]

    def backward(ctx: Any, first: Any, second: Any) -> tuple:
        return first * ctx.factors[0] + second * ctx.factors[1], None, None

    op.register_autograd(backward, setup_context=setup)
    x = lib.ones(3, requires_grad=True)
    first, second = op(x, a=3.0)
    (first + 2 * second).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0, 7.0]


def test_defined_operations_get_their_kernels_later(lib: Any) -> None:
    made = lib.library.Library("tests_c", "DEF")
    made.define("plus(Tensor x) -> Tensor")
    made.impl("plus", lambda x: x + 1, "CompositeImplicitAutograd")
    x = lib.ones(2, requires_grad=True)
    lib.ops.tests_c.plus(x).sum().backward()  # its own operations are recorded
    assert x.grad.tolist() == [1.0, 1.0]
    lib.library.define("tests_c::twice", "(Tensor x) -> Tensor")
    with pytest.raises(NotImplementedError):
        lib.ops.tests_c.twice(x)
    lib.library.impl("tests_c::twice", "cpu")(lambda x: x * 2)
    assert lib.ops.tests_c.twice(lib.ones(2)).tolist() == [2.0, 2.0]
    with pytest.raises(AttributeError, match="'tests_c' object has no attribute 'nothing'"):
        _ = lib.ops.tests_c.nothing


def test_bad_registrations(lib: Any) -> None:
    def same(x: Any) -> Any:
        return x

    same.__annotations__ = {"x": lib.Tensor, "return": lib.Tensor}
    with pytest.raises(ValueError):
        lib.library.custom_op("no_namespace", same, mutates_args=())
    op = lib.library.custom_op("tests_d::same", same, mutates_args=())
    with pytest.raises(RuntimeError, match="must not also be an input"):
        op(lib.ones(1))


def test_namespaces_of_minigrads_own_are_refused() -> None:
    with pytest.raises(ValueError, match="minigrad's own"):
        mg.library.custom_op("arith::name", lambda x: x, mutates_args=())
