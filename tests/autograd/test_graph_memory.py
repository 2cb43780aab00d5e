"""Deep graphs, threads with graphs of their own, memory without the collector."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from pair import values

import minigrad as mg
from minigrad import autograd


def test_a_hundred_thousand_operations() -> None:
    x = mg.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.backward()
    assert x.grad.item() == 1
    y = x
    for _ in range(100_000):
        y = y + x
    del y  # an unused graph of that depth is dropped, too
    z = x
    for _ in range(30_000):
        z = z * 1.0
    (g,) = autograd.grad(z, x, create_graph=True)
    assert g.item() == 1
    del z, g


def test_threads_with_their_own_graphs() -> None:
    w = mg.ones(4, requires_grad=True)
    failures: list = []

    def work(k: int) -> None:
        try:
            for _ in range(100):
                x = mg.full((4,), float(k), requires_grad=True)
                (x * x * w).sum().backward()
                assert values(x.grad) == [2 * k] * 4
        except Exception as error:  # reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    assert values(w.grad) == [100.0 * (1 + 4 + 9 + 16)] * 4  # no addition was lost


@pytest.fixture
def no_gc() -> Any:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_gc")
def test_memory_is_freed_without_the_collector() -> None:
    x = mg.ones(1000, requires_grad=True)
    refs = []

    def track(t: Any) -> Any:
        refs.append(weakref.ref(t._array))
        return t

    y = track(track(x * 2) * track(x * 3)).exp()
    view = y[:10]
    track(y).retain_grad()
    y.register_hook(lambda g: None)
    total = track(view.sum() + y.sum())
    total.backward()
    del y, view, total
    assert [r() for r in refs] == [None] * len(refs)

    class Keeps(autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Any) -> Any:
            out = a * 2
            ctx.save_for_backward(a, out)
            return out

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    out = track(Keeps.apply(track(x * 1)))
    del out
    assert [r() for r in refs] == [None] * len(refs)
    z = track(x * 1)
    z.mul_(track(x * 5))
    z[2:5] = 7
    part = z[1:3]
    part.mul_(2)
    z.sum().backward()
    del z, part
    assert [r() for r in refs] == [None] * len(refs)
    (g,) = autograd.grad((x * x).sum(), x, create_graph=True)
    track(g)
    autograd.grad(g.sum(), x)
    del g
    assert [r() for r in refs] == [None] * len(refs)


@pytest.mark.usefixtures("no_gc")
def test_two_hundred_steps_do_not_grow() -> None:
    w = mg.ones(64, 64, requires_grad=True)
    x = mg.ones(32, 64)

    def step() -> None:
        loss = ((x @ w).relu() * 0.5).sum()
        loss.backward()
        with autograd.no_grad():
            w.sub_(w.grad * 1e-6)
        w.grad = None

    for _ in range(20):
        step()
    before = len(gc.get_objects())
    for _ in range(200):
        step()
    assert len(gc.get_objects()) - before < 50
