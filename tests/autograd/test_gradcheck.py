"""`gradcheck`, `gradgradcheck`, and `autograd.functional` against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.autograd import functional, gradcheck, gradgradcheck


def double(*shape: Any) -> Any:
    return mg.randn(*shape, dtype=mg.float64, requires_grad=True)


class WrongGradient(autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * ctx.saved_tensors[0] * 3


class WrongSecond(autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return grad * (ctx.saved_tensors[0].detach() * ctx.saved_tensors[0] * 3)


@pytest.mark.parametrize("fast", [False, True])
def test_right_gradients_pass(fast: bool) -> None:
    x, y = double(3, 4), double(3, 1)
    assert gradcheck(lambda a, b: (a * b).exp(), (x, y), fast_mode=fast)
    assert gradcheck(lambda a: (a.exp(), a * 2, a.detach()), x, fast_mode=fast)
    assert gradgradcheck(lambda a, b: (a * b).exp(), (x, y), fast_mode=fast)
    assert gradcheck(lambda a, k: a * k, (x, 3.0), fast_mode=fast)
    assert gradcheck(lambda a: a * 2, (double(0),))
    assert gradcheck(lambda a: a * 2, (double(()),))


@pytest.mark.parametrize("fast", [False, True])
def test_wrong_gradients_fail(fast: bool) -> None:
    x = double(3)
    with pytest.raises(autograd.GradcheckError, match="output 0 with respect to input 0"):
        gradcheck(WrongGradient.apply, (x,), fast_mode=fast)
    assert not gradcheck(WrongGradient.apply, (x,), fast_mode=fast, raise_exception=False)
    assert gradcheck(WrongSecond.apply, (x,), fast_mode=fast)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradgradcheck(WrongSecond.apply, (x,), fast_mode=fast)


def test_a_detached_result_is_noticed() -> None:
    with pytest.raises(autograd.GradcheckError, match="expected to be zero"):
        gradcheck(lambda a: a.detach() * 2, (double(3),))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda a: a, (mg.ones(2),))
    with pytest.warns(UserWarning, match="not a double precision"):
        gradcheck(lambda a: a * 2, (mg.ones(2, requires_grad=True),), atol=0.1, rtol=0.1, eps=1e-2)
    spread = mg.from_numpy(np.broadcast_to(np.ones(1), (3,))).requires_grad_()
    with pytest.raises(RuntimeError, match="stride 0"):
        gradcheck(lambda a: a * 2, (spread,))


torch = pytest.importorskip("torch")


def compare(name: str, function: Any, *args: Any, **options: Any) -> None:
    def run(module: Any, where: Any) -> Any:
        converted = [_convert(module, a) for a in args]
        return getattr(where, name)(lambda *a: function(module, *a), *converted, **options)

    _same(run(mg, functional), run(torch, torch.autograd.functional))


def _convert(module: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_convert(module, v) for v in value)
    return module.tensor(value) if isinstance(value, np.ndarray) else value


def _same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, tuple):
        assert isinstance(theirs, tuple)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            _same(a, b)
        return
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12)


X = np.linspace(-1, 1, 6).reshape(2, 3)
Y = np.linspace(0.5, 2, 3)


def test_jacobian() -> None:
    compare("jacobian", lambda m, a: (a * a).exp(), X)
    compare("jacobian", lambda m, a, b: (a * b, b.exp().sum(), a * 2), (X, Y))
    compare("jacobian", lambda m, a, b: a * 2, (X, Y))
    compare("jacobian", lambda m, a: (a * a).exp(), X, create_graph=True)


def test_hessian() -> None:
    compare("hessian", lambda m, a: (a * a * a).sum(), X)
    compare("hessian", lambda m, a, b: (a * b * b).exp().sum(), (X, Y))


def test_products() -> None:
    compare("vjp", lambda m, a: (a * a).exp(), X, X + 1)
    compare("vjp", lambda m, a: (a * a).sum(), X)
    compare("jvp", lambda m, a: (a * a).exp(), X, X + 1)
    compare("jvp", lambda m, a, b: (a * b, b.exp()), (X, Y), (X + 1, Y - 1))
    compare("vhp", lambda m, a: (a * a).exp().sum(), X, X + 1)
    compare("hvp", lambda m, a, b: (a * b * b).exp().sum(), (X, Y), (X + 1, Y - 1))


def test_strict_and_wrong_arguments() -> None:
    x = mg.tensor(X)
    with pytest.raises(RuntimeError, match="independent of input"):
        functional.vjp(lambda a, b: (a * 2).sum(), (x, x), strict=True)
    with pytest.raises(RuntimeError, match="does not require gradients"):
        functional.jacobian(lambda a: a.detach(), x, strict=True)
    with pytest.raises(RuntimeError, match="single element"):
        functional.hessian(lambda a: a * 2, x)
    with pytest.raises(TypeError, match="must be either a Tensor"):
        functional.jacobian(lambda a: a, 3.0)
    with pytest.raises(RuntimeError, match="v"):
        functional.vjp(lambda a: a * 2, x)
    with pytest.raises(RuntimeError, match="invalid size"):
        functional.vjp(lambda a: a * 2, x, mg.ones(1))


STRICT = {
    "independent input": lambda m, f, x: f.vjp(lambda a, b: a * 2, (x, x), x, strict=True),
    "linear": lambda m, f, x: f.hessian(lambda a: (a * 2).sum(), x, strict=True),
    "linear product": lambda m, f, x: f.hvp(lambda a: (a * 2).sum(), x, x, strict=True),
    "constant": lambda m, f, x: f.hessian(lambda a: m.tensor(1.0), x, strict=True),
    "several": lambda m, f, x: f.hessian(lambda a: (a.sum(),), x),
    "vector": lambda m, f, x: f.vhp(lambda a: a * 2, x, x),
    "no v": lambda m, f, x: f.jvp(lambda a: a.sum(), x),
    "no v for outputs": lambda m, f, x: f.vjp(lambda a: a * 2, x),
    "size of v": lambda m, f, x: f.vjp(lambda a: a * 2, x, m.ones(7)),
    "tuple v": lambda m, f, x: f.jvp(lambda a: a * 2, x, (x, x)),
    "list": lambda m, f, x: f.jacobian(lambda a: a, [x]),
}
WORDS = {
    "independent input": "is independent of input 1. This is not allowed in strict mode",
    "linear": "is independent of the input. This is not allowed in strict mode",
    "linear product": "is independent of the input. This is not allowed in strict mode",
    "constant": "Output 0 of the user-provided function does not require gradients",
    "several": "should return a single Tensor",
    "vector": "should contain a single element",
    "no v": "v can only be None if",
    "no v for outputs": "v can only be None if the user-provided function returns",
    "size of v": r"v has invalid size: should be torch.Size\(\[2\]\) but got torch.Size\(\[7\]\)",
    "tuple v": "The given v should contain a single Tensor",
    "list": "must be either a Tensor or a tuple of Tensors but the given inputs has type",
}


@pytest.mark.parametrize("name", STRICT)
def test_errors_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    for m in (torch, mg):
        f = m.autograd.functional
        with pytest.raises((RuntimeError, TypeError), match=WORDS[name]):
            STRICT[name](m, f, m.ones(2))


def test_functions_of_one_element_of_any_shape() -> None:
    h = functional.hessian(lambda a: (a * a * a).sum().reshape(1, 1), mg.tensor([1.0, 2.0]))
    assert h.tolist() == [[6, 0], [0, 12]]
    j = functional.jacobian(lambda a: a * a, mg.ones(2), vectorize=True, strategy="forward-mode")
    assert j.tolist() == [[2, 0], [0, 2]]
    with pytest.raises(NotImplementedError, match="vectorize=True"):
        functional.jacobian(lambda a: a, mg.ones(2), strategy="forward-mode")


REFUSED = {
    "strict and vectorize": ("square", {"strict": True, "vectorize": True}, RuntimeError),
    "forward": ("square", {"strategy": "forward-mode"}, NotImplementedError),
    "forward and create_graph": (
        "square",
        {"strategy": "forward-mode", "create_graph": True, "vectorize": True},
        NotImplementedError,
    ),
    "forward and strict": (
        "square",
        {"strategy": "forward-mode", "strict": True, "vectorize": True},
        RuntimeError,
    ),
    "a constant Jacobian": ("twice", {"strict": True, "create_graph": True}, RuntimeError),
    "strategy": ("square", {"strategy": "sideways"}, AssertionError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_do_not_go_together(name: str) -> None:
    f, options, error = REFUSED[name]
    torch = pytest.importorskip("torch")
    for m in (torch, mg):
        function = {"square": lambda a: a * a, "twice": lambda a: a * 2}[f]
        with pytest.raises(error):
            m.autograd.functional.jacobian(function, m.ones(2), **options)
        outer = {k.replace("strategy", "outer_jacobian_strategy"): v for k, v in options.items()}
        if f == "square":
            with pytest.raises(error):
                m.autograd.functional.hessian(lambda a: (a**3).sum(), m.ones(2), **outer)
        else:
            for product in (m.autograd.functional.vjp, m.autograd.functional.jvp):
                with pytest.raises(error, match="The jacobian of the user-provided function is"):
                    product(function, m.ones(2), m.ones(2), **options)


def test_strict_hessian_of_what_depends_on_one_input() -> None:
    torch = pytest.importorskip("torch")
    for m in (torch, mg):
        with pytest.raises(RuntimeError, match="with respect to input 1 is independent of the"):
            m.autograd.functional.hessian(
                lambda a, b: (a * a).sum(), (m.ones(2), m.ones(2)), strict=True
            )


def test_arguments_of_grad_and_backward() -> None:
    torch = pytest.importorskip("torch")
    for m in (torch, mg):

        def loss(x: Any) -> Any:
            return (x * x).sum()

        x = m.ones(2, requires_grad=True)
        for wrong in (1, "x", None):
            with pytest.raises(RuntimeError, match="all inputs have to be Tensors"):
                m.autograd.grad(loss(x), [x, wrong])
        with pytest.raises(RuntimeError, match="all inputs have to be Tensors"):
            m.autograd.backward(loss(x), inputs=[1])
        with pytest.raises(RuntimeError, match=r"argument to `backward\(\)` cannot be empty"):
            loss(x).backward(inputs=[])
        with pytest.raises(AssertionError):
            m.autograd.grad([1.0], [x])
        with pytest.raises(AssertionError):
            m.autograd.backward([1.0])
        for wrong in (1.0, None):
            with pytest.raises(TypeError, match="is not iterable"):
                m.autograd.grad(wrong, [x])
        with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'nothing'"):
            x.nothing  # noqa: B018
