"""Automatic differentiation against PyTorch: modes, hooks, functions, errors, memory."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

import minigrad as mg
from minigrad import autograd

torch = pytest.importorskip("torch")
both = pytest.mark.parametrize("m", [torch, mg], ids=["torch", "minigrad"])


def values(t: Any) -> list:
    return t.detach().numpy().tolist()


def ones(m: Any, *shape: int, grad: bool = True) -> Any:
    return m.ones(*shape, requires_grad=grad)


# -- modes ---------------------------------------------------------------------------------------


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


# -- backward and grad ---------------------------------------------------------------------------


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


# -- hooks ---------------------------------------------------------------------------------------


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


# -- Function ------------------------------------------------------------------------------------


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


# -- writes in place -----------------------------------------------------------------------------


@both
def test_writes_are_differentiated(m: Any) -> None:
    x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y.mul_(x)
    y += 1
    y.sum().backward()
    assert values(x.grad) == [2, 4, 6]


@both
def test_writes_through_views(m: Any) -> None:
    x = ones(m, 4)
    y = x * 1
    part = y[1:3]
    part.mul_(10)
    assert values(y) == [1, 10, 10, 1]
    other = y[2:]
    (y.sum() + other.sum()).backward()
    assert values(x.grad) == [1, 10, 20, 2]
    x.grad = None
    y = x * 1
    view = y.view(2, 2)
    y.mul_(3)
    view.sum().backward()
    assert values(x.grad) == [3, 3, 3, 3]
    x.grad = None
    base = m.zeros(4)
    base[1:3] = x[:2] * 2
    base.sum().backward()
    assert values(x.grad) == [2, 2, 0, 0]


@both
def test_a_write_that_changes_nothing_saved_is_fine(m: Any) -> None:
    x = ones(m, 2)
    y = x + 1
    z = y + 2
    y.mul_(5)
    z.sum().backward()
    assert values(x.grad) == [1, 1]


# -- anomaly detection ---------------------------------------------------------------------------


@both
def test_anomaly_mode_names_the_operation(m: Any) -> None:
    x = m.tensor([0.0], requires_grad=True)
    with pytest.warns(UserWarning) if m is torch else _nothing():  # noqa: SIM117
        with m.autograd.detect_anomaly():
            y = (x * 0 / x) * 1  # NaN here
            with pytest.raises(RuntimeError, match="(Div|Mul)Backward0.*returned nan"):
                y.backward()
    with m.autograd.set_detect_anomaly(True):
        pass
    assert not m.is_anomaly_enabled() if m is torch else not autograd.is_anomaly_enabled()


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


def test_anomaly_mode_shows_the_line() -> None:
    x = mg.tensor([0.0], requires_grad=True)
    with autograd.detect_anomaly():
        y = x / x  # the line that is looked for
        with pytest.raises(RuntimeError, match="the line that is looked for"):
            (y * 1).backward()
    assert not autograd.is_anomaly_enabled()


# -- depth, threads, memory ----------------------------------------------------------------------


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
