"""Gradient modes against PyTorch: no_grad, enable_grad, inference mode, threads, generators."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pair import both, ones


@both
def test_no_grad_and_enable_grad(m: Any) -> None:
    x, a = ones(m, 2), m.autograd
    with a.no_grad():
        assert not (x * 2).requires_grad
        with a.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @a.no_grad()
    def plain(t: Any) -> Any:
        return t * 2

    @a.enable_grad()
    def recorded(t: Any) -> Any:
        return t * 2

    assert not plain(x).requires_grad
    with a.no_grad():
        assert recorded(x).requires_grad
    assert plain.__name__ == "plain"


@both
def test_modes_are_restored_after_errors(m: Any) -> None:
    a = m.autograd
    for mode in (a.no_grad(), a.set_grad_enabled(False), a.inference_mode()):
        with pytest.raises(KeyError), mode:
            raise KeyError
    assert (ones(m, 1) * 1).requires_grad
    with pytest.raises(KeyError):
        a.no_grad()(lambda: {}["x"])()
    assert (ones(m, 1) * 1).requires_grad


@both
def test_one_mode_object_used_twice_and_nested(m: Any) -> None:
    x, mode = ones(m, 1), m.autograd.no_grad()
    for _ in range(2):
        with mode:
            assert not (x * 1).requires_grad
    with m.autograd.no_grad(), m.autograd.no_grad():
        pass
    assert (x * 1).requires_grad


@both
def test_set_grad_enabled(m: Any) -> None:
    x, a = ones(m, 1), m.autograd
    a.set_grad_enabled(False)
    try:
        assert not (x * 1).requires_grad
    finally:
        a.set_grad_enabled(True)
    with a.set_grad_enabled(False):
        assert not (x * 1).requires_grad
    assert (x * 1).requires_grad

    @a.set_grad_enabled(False)
    def f() -> bool:
        return (x * 1).requires_grad

    assert (x * 1).requires_grad
    assert not f()


@both
def test_inference_mode(m: Any) -> None:
    x, a = ones(m, 1), m.autograd
    with a.inference_mode():
        assert not (x * 1).requires_grad
    with a.inference_mode(False):
        assert (x * 1).requires_grad

    @a.inference_mode()
    def f() -> bool:
        return (x * 1).requires_grad

    assert not f()


@both
def test_generators_under_modes(m: Any) -> None:
    x = ones(m, 1)

    @m.autograd.no_grad()
    def produce() -> Any:
        for _ in range(2):
            got = yield (x * 1).requires_grad
            assert got in (None, "sent")
        return "end"

    g = produce()
    assert next(g) is False
    assert (x * 1).requires_grad  # the mode is off while the generator waits
    assert g.send("sent") is False
    with pytest.raises(StopIteration) as stop:
        next(g)
    assert stop.value.value == "end"

    @m.autograd.no_grad()
    def catches() -> Any:
        try:
            yield 1
        except KeyError:
            yield (x * 1).requires_grad

    g = catches()
    next(g)
    assert g.throw(KeyError()) is False
    assert (x * 1).requires_grad


@both
def test_modes_belong_to_threads(m: Any) -> None:
    x = ones(m, 1)
    seen: list = []
    inside, done = threading.Event(), threading.Event()

    def work() -> None:
        with m.autograd.no_grad():
            inside.set()
            done.wait(10)
            seen.append((x * 1).requires_grad)

    t = threading.Thread(target=work)
    t.start()
    inside.wait(10)
    assert (x * 1).requires_grad
    done.set()
    t.join()
    assert seen == [False]


@both
def test_inference_tensors(m: Any) -> None:
    x = ones(m, 2)
    with m.inference_mode():
        t = m.ones(2)
        assert t.is_inference()
        assert m.is_inference(t)
        assert (t * 2).is_inference()
        t.add_(1)
        t[0] = 5.0
        with m.inference_mode(False):
            assert m.is_grad_enabled()
            assert not m.ones(1).is_inference()
        with m.enable_grad():
            assert not (x * 1).requires_grad
        assert not x.view(2).is_inference()
    assert t[:1].is_inference()
    assert t.detach().is_inference()
    assert not t.clone().is_inference()
    assert not x.is_inference()
    for write in (lambda: t.add_(1), lambda: t.view(2).zero_(), lambda: t.copy_(x.detach())):
        with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
            write()
    with pytest.raises(RuntimeError, match="do not track version counter"):
        t._version  # noqa: B018
    with pytest.raises(RuntimeError, match="inference tensor outside InferenceMode"):
        t.requires_grad_()
    (x + t).sum().backward()
    for use in (lambda: x * t, lambda: x @ t, lambda: x.reshape(2, 1) * t):
        with pytest.raises(RuntimeError, match="cannot be saved for backward"):
            use()
    (x * t.clone()).sum().backward()


@both
def test_writes_in_inference_mode_count(m: Any) -> None:
    y = ones(m, 2) * 1
    z = y * y
    with m.inference_mode():
        y.add_(1)
    assert y._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        z.sum().backward()


@both
def test_bad_modes(m: Any) -> None:
    with pytest.raises(TypeError):
        m.set_grad_enabled(1)
    assert m.is_grad_enabled()
    x = ones(m, 1)
    for bad in (1, "x", None):
        with pytest.raises(RuntimeError, match="must be a bool"):
            x.requires_grad = bad
    with pytest.raises(RuntimeError, match="leaf variables"):
        (x * 1).requires_grad = True
    assert (x * 1).requires_grad_().requires_grad


@both
@pytest.mark.parametrize("value", ["False", 1, 2.5, [1]])
def test_requires_grad_takes_only_a_bool(m: Any, value: Any) -> None:
    tensor = m.ones(2)
    for call in (
        lambda: tensor.requires_grad_(value),
        lambda: m.nn.Linear(1, 1).requires_grad_(value),
        lambda: m.nn.Parameter(tensor, value),
        lambda: m.zeros(2, requires_grad=value),
    ):
        with pytest.raises(TypeError, match="must be bool, not"):
            call()
    assert not tensor.requires_grad
