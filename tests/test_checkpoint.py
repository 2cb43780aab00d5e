"""`checkpoint`: the same results and gradients, computed again in backward."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

reentrant = pytest.mark.parametrize("reentrant", [False, True])


def leaf(*shape: int) -> Any:
    return mg.randn(*shape, requires_grad=True)


def gradients(result: Any, *inputs: Any) -> list[np.ndarray]:
    return [g.numpy() for g in autograd.grad(result.sum(), inputs)]


@reentrant
def test_gradients_are_the_same(reentrant: bool) -> None:
    x, y = leaf(3, 4), leaf(3, 4)

    def f(a: Any, b: Any) -> Any:
        return (a * b).exp() * a

    expected = gradients(f(x, y), x, y)
    result = checkpoint(f, x, y, use_reentrant=reentrant)
    np.testing.assert_array_equal(result.detach().numpy(), f(x, y).detach().numpy())
    result.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), expected[0])
    np.testing.assert_array_equal(y.grad.numpy(), expected[1])


def test_tensors_that_are_no_arguments_get_gradients() -> None:
    w, x = leaf(4), mg.randn(4)
    between = w * 2
    result = checkpoint(lambda a: (a * between).exp(), x, use_reentrant=False)
    expected = gradients((x * w * 2).exp(), w)
    result.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), expected[0], rtol=1e-6)


@reentrant
def test_runs_again_only_in_backward(reentrant: bool) -> None:
    calls: list = []
    x = leaf(2)

    def f(a: Any) -> Any:
        calls.append(autograd.is_grad_enabled())
        return a.exp().exp()

    result = checkpoint(f, x, use_reentrant=reentrant)
    assert len(calls) == 1
    result.sum().backward()
    assert len(calls) == 2
    with mg.autograd.no_grad():
        assert not checkpoint(f, x, use_reentrant=reentrant).requires_grad


def test_intermediate_values_are_not_kept() -> None:
    kept: list = []
    x = leaf(1000)

    def f(a: Any) -> Any:
        middle = a.exp()
        kept.append(weakref.ref(middle._array))
        return (middle * middle).exp()

    result = checkpoint(f, x, use_reentrant=False)
    assert kept[0]() is None
    result.sum().backward()
    assert kept[1]() is None
    plain = f(x)
    assert kept[2]() is not None
    del plain


@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers(preserve: bool) -> None:
    masks: list = []
    x = leaf(50)

    def f(a: Any) -> Any:
        mask = mg.rand(50)
        masks.append(mask.numpy())
        return a * mask

    mg.manual_seed(0)
    result = checkpoint(f, x, use_reentrant=False, preserve_rng_state=preserve)
    after = mg.rand(3).numpy()
    result.sum().backward()
    assert (masks[0] == masks[1]).all() == preserve
    if preserve:
        following = mg.rand(3).numpy()
        mg.manual_seed(0)
        mg.rand(50)
        np.testing.assert_array_equal(mg.rand(3).numpy(), after)
        np.testing.assert_array_equal(mg.rand(3).numpy(), following)


def test_several_outputs_and_keywords() -> None:
    x, y = leaf(3), leaf(3)

    def f(a: Any, *, scale: Any, parts: list) -> Any:
        return {"one": a * scale, "rest": [a.exp(), parts[0] * 2, 5, a.detach()], "same": a}

    result = checkpoint(f, x, scale=y, parts=[y], use_reentrant=False)
    assert result["rest"][2] == 5
    assert not result["rest"][3].requires_grad
    expected = gradients(x * y + x.exp() + y * 2 + x, x, y)
    total = result["one"] + result["rest"][0] + result["rest"][1] + result["same"]
    total.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), expected[0], rtol=1e-6)
    np.testing.assert_allclose(y.grad.numpy(), expected[1], rtol=1e-6)
    x.grad = None
    result = checkpoint(f, x, scale=y, parts=[y], use_reentrant=False)
    result["rest"][0].sum().backward()  # the other outputs' gradients do not arrive
    np.testing.assert_allclose(x.grad.numpy(), x.detach().exp().numpy(), rtol=1e-6)


def test_nested() -> None:
    x = leaf(5)

    def inner(a: Any) -> Any:
        return (a * a).exp()

    def outer(a: Any) -> Any:
        return checkpoint(inner, a * 0.5, use_reentrant=False) * a

    expected = gradients(inner(x * 0.5) * x, x)
    np.testing.assert_allclose(
        gradients(checkpoint(outer, x, use_reentrant=False), x)[0], expected[0], rtol=1e-6
    )


def test_second_gradients() -> None:
    x = mg.randn(4, dtype=mg.float64, requires_grad=True)
    y = mg.randn(4, dtype=mg.float64, requires_grad=True)

    def f(a: Any) -> Any:
        return checkpoint(lambda v: (v * v * y).exp(), a * 2, use_reentrant=False)

    assert autograd.gradcheck(f, (x,))
    assert autograd.gradgradcheck(f, (x,))


def test_hooks_run_once() -> None:
    x = leaf(3)
    middle = x * 2
    calls: list = []
    middle.register_hook(lambda g: calls.append("middle"))
    x.register_hook(lambda g: calls.append("x"))
    middle.retain_grad()
    checkpoint(lambda a: a.exp(), middle, use_reentrant=False).sum().backward()
    assert calls == ["middle", "x"]
    np.testing.assert_allclose(middle.grad.numpy(), middle.exp().detach().numpy(), rtol=1e-6)


def test_errors() -> None:
    x = leaf(3)
    result = checkpoint(lambda a: a.exp(), x, use_reentrant=False).sum()
    result.backward()
    with pytest.raises(RuntimeError, match="second time"):
        result.backward()
    sizes = iter((1, 2))
    result = checkpoint(lambda a: [a.exp()] * next(sizes), x, use_reentrant=False)[0]
    with pytest.raises(RuntimeError, match="computed other tensors"):
        result.sum().backward()
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint(lambda a, k: a, x, k=1, use_reentrant=True)
    with pytest.warns(UserWarning, match="None of the inputs"):
        checkpoint(lambda a: a * 2, mg.ones(2), use_reentrant=True)
    middle = x * 1
    result = checkpoint(lambda a: a.exp(), middle, use_reentrant=False)
    middle.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        result.sum().backward()


@pytest.mark.parametrize("segments", [1, 2, 3, 5, 9])
def test_sequential(segments: int) -> None:
    x = leaf(4)
    steps = [lambda a, k=k: a.exp() * (0.1 * k) for k in range(1, 6)]
    plain = x
    for step in steps:
        plain = step(plain)
    expected = gradients(plain, x)
    result = checkpoint_sequential(steps, segments, x, use_reentrant=False)
    np.testing.assert_array_equal(gradients(result, x)[0], expected[0])
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint_sequential(steps, 2, x, other=1)


def test_other_saved_values_are_noticed() -> None:
    x = leaf(4)
    for check in ("default", "none"):
        sizes = iter((4, 2))
        result = checkpoint(
            lambda a, sizes=sizes: a[: next(sizes)].exp().sum(),
            x, use_reentrant=False, determinism_check=check,
        )  # fmt: skip
        if check == "none":
            result.backward()
            continue
        with pytest.raises(CheckpointError, match="saved others"):
            result.backward()
