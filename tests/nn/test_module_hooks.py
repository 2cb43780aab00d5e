"""Hooks of modules, each with each other, beside PyTorch: order, arguments, what results change."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")


def register(lib: Any, module: Any, kind: str, tag: int, log: list, changes: bool) -> Any:
    """Registers a hook that notes its call; with `changes` it returns something else."""

    def shapes(grads: Any) -> list:
        return [None if g is None else tuple(g.shape) for g in grads]

    def pre(m: Any, args: Any) -> Any:
        log.append(("pre", tag))
        return (args[0] * 2,) if changes else None

    def pre_with_kwargs(m: Any, args: Any, kwargs: Any) -> Any:
        log.append(("pre_with_kwargs", tag, sorted(kwargs)))
        return ((args[0] + 1,), kwargs) if changes else None

    def post(m: Any, args: Any, out: Any) -> Any:
        log.append(("post", tag))
        return out + 1 if changes else None

    def post_with_kwargs(m: Any, args: Any, kwargs: Any, out: Any) -> Any:
        log.append(("post_with_kwargs", tag, sorted(kwargs)))
        return out * 3 if changes else None

    def backward_pre(m: Any, grads: Any) -> Any:
        log.append(("backward_pre", tag, shapes(grads)))
        return (grads[0] * 2,) if changes else None

    def backward(m: Any, grad_in: Any, grad_out: Any) -> Any:
        log.append(("backward", tag, shapes(grad_in), shapes(grad_out)))
        return tuple(None if g is None else g * 5 for g in grad_in) if changes else None

    common = lib.nn.modules.module
    return {
        "pre": lambda: module.register_forward_pre_hook(pre),
        "pre first": lambda: module.register_forward_pre_hook(pre, prepend=True),
        "pre kwargs": lambda: module.register_forward_pre_hook(pre_with_kwargs, with_kwargs=True),
        "post": lambda: module.register_forward_hook(post),
        "post first": lambda: module.register_forward_hook(post, prepend=True),
        "post kwargs": lambda: module.register_forward_hook(post_with_kwargs, with_kwargs=True),
        "post always": lambda: module.register_forward_hook(post, always_call=True),
        "backward pre": lambda: module.register_full_backward_pre_hook(backward_pre),
        "backward": lambda: module.register_full_backward_hook(backward),
        "backward first": lambda: module.register_full_backward_hook(backward, prepend=True),
        "all pre": lambda: common.register_module_forward_pre_hook(pre),
        "all post": lambda: common.register_module_forward_hook(post),
        "all backward": lambda: common.register_module_full_backward_hook(backward),
        "all backward pre": lambda: common.register_module_full_backward_pre_hook(backward_pre),
    }[kind]()


KINDS = [
    f"{start}{what}"
    for start, whats in (
        ("", ["pre", "pre first", "pre kwargs", "post", "post first", "post kwargs"]),
        ("", ["post always", "backward pre", "backward", "backward first"]),
        ("all ", ["pre", "post", "backward", "backward pre"]),
    )
    for what in whats
]


def run(lib: Any, kinds: tuple, changes: tuple) -> tuple[list, list]:
    class Scaled(lib.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = lib.nn.Linear(2, 2)

        def forward(self, x: Any, scale: Any = 1.0) -> Any:
            return self.linear(x) * scale

    lib.manual_seed(0)
    module, log = Scaled(), []  # type: tuple[Any, list]
    handles = [
        register(lib, module, kind, i, log, change)
        for i, (kind, change) in enumerate(zip(kinds, changes, strict=True))
    ]
    try:
        x = lib.ones(3, 2, requires_grad=True)
        out = module(x, scale=lib.full((2,), 2.0))
        out.sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    numbers = (out.detach(), x.grad, module.linear.weight.grad)
    return log, [t.numpy() for t in numbers]


@pytest.mark.parametrize("first", KINDS)
def test_each_with_each_other(first: str) -> None:
    for second, changes in itertools.product(
        KINDS, ((False, False), (True, False), (False, True), (True, True))
    ):
        ours, theirs = (run(lib, (first, second), changes) for lib in (mg, torch))
        assert ours[0] == theirs[0]
        for a, b in zip(ours[1], theirs[1], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("needs", [(1, 1), (1, 0), (0, 1)])
def test_gradients_of_inputs_that_need_none_are_zeros(needs: tuple) -> None:
    found = []
    for lib in (mg, torch):
        loss, seen = lib.nn.MSELoss(), []  # type: tuple[Any, list]
        loss.register_full_backward_hook(
            lambda m, gi, go, seen=seen: seen.append([g.tolist() for g in gi])
        )
        x, y = (lib.full((2,), v, requires_grad=bool(n)) for v, n in zip((1.0, 3.0), needs))
        loss(x, y).backward()
        found.append((seen, [None if t.grad is None else t.grad.tolist() for t in (x, y)]))
    assert found[0] == found[1]
    assert [bool(np.any(g)) for g in found[0][0][0]] == [bool(n) for n in needs]
