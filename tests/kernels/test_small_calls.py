"""Small tensors that one compiled call makes, beside PyTorch and the general code."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels.cpu import _C

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
NUMBERS = (0, 1, True, -1, 2.5, 255, 300.7, 70000.0, 2**53 + 1, float("nan"))
SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (1,),
    (15,),
    (16,),
    (17,),
    (5, 7),
    (4096,),
    (4097,),
)


def outcome(call: Callable, module: Any) -> Any:
    """The type's name, the shape and the values, or the error's class."""
    try:
        made = call(module)
    except Exception as error:
        return type(error)
    return str(made.dtype), tuple(made.shape), made.numpy().tobytes()


def same(call: Callable) -> None:
    torch = pytest.importorskip("torch")
    assert outcome(call, mg) == outcome(call, torch)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_become_elements(value: float, dtype: str) -> None:
    for call in (
        lambda m: m.full((2, 3), value, dtype=getattr(m, dtype)),
        lambda m: m.full_like(m.ones(2, 3), value, dtype=getattr(m, dtype)),
        lambda m: m.tensor([[value], (1,)], dtype=getattr(m, dtype)),
        lambda m: m.ones(3, dtype=getattr(m, dtype)).fill_(value),
    ):
        same(call)


@pytest.mark.parametrize("data", [[], [[], []], [1, [2]], [[1], 2], [True, 2], [1, 2.0], [None]])
def test_nests(data: list) -> None:
    same(lambda m: m.tensor(data))


def test_lines_and_triangles() -> None:
    for dtype in ("float32", "float64", "int64", "int32", "uint8"):
        for args in ((5,), (2, 9, 3), (9, 2, -3), (0, 1, 0.1), (1, 0, -0.25), (3, 1), (1, 2, 0)):
            same(lambda m, a=args, d=dtype: m.arange(*a, dtype=getattr(m, d)))
        for n in (1, 2, 5, 1001):
            same(lambda m, n=n, d=dtype: m.linspace(-0.3, 7.7, n, dtype=getattr(m, d)))
        for form in ((3, 4, 1), (0, 3, 0), (4, 3, -9), (5, 5, 9)):
            same(lambda m, f=form, d=dtype: m.triu_indices(*f, dtype=getattr(m, d)))
            same(lambda m, f=form, d=dtype: m.tril_indices(*f, dtype=getattr(m, d)))
        same(lambda m, d=dtype: m.eye(3, 5, dtype=getattr(m, d)))


def test_sizes() -> None:
    for args in ((2, 3), ((2, 3),), ([2, 3],), ((),), (0,), (-1,), (2.0,), (True,), ((2, (3,)),)):
        for name in ("zeros", "ones"):
            same(lambda m, n=name, a=args: getattr(m, n)(*a))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_stream_through_compiled_and_general_code(shape: tuple, dtype: str) -> None:
    def draws(m: Any) -> Any:
        m.manual_seed(len(shape) + 3)  # the first draw after it is the general code's
        d = getattr(m, dtype)
        parts = [
            m.randn(shape, dtype=d),
            m.randn(3, dtype=d),
            m.rand(shape, dtype=d),
            m.empty(shape, dtype=d).normal_(0.3, 1.7),
            m.randn(5, 2, dtype=d).t().normal_().t(),
            m.empty(shape, dtype=d).uniform_(-2, 5),
            m.bernoulli(m.full(shape, 0.3, dtype=d)),
            m.randint(-5, 1000, shape).to(d),
            m.randint(7, size=(3,), dtype=m.int32).to(d),
            m.randperm(13).to(d),
            m.randn_like(m.empty(shape, dtype=d)),
            m.rand_like(m.empty(shape, dtype=d)),
        ]
        return m.cat([part.reshape(-1) for part in parts])

    same(draws)


def test_what_is_left_to_the_general_code() -> None:
    mg.manual_seed(0)
    assert _C.fast_draw(True, (3,), {}) is None  # no state yet
    mg.rand(1)
    assert _C.fast_draw(True, (3,), {}) is not None
    for options in ({"requires_grad": True}, {"out": None}, {"dtype": mg.float16}, {"what": 1}):
        assert _C.fast_draw(True, (3,), options) is None
    assert _C.fast_full((5000,), 0.0, None, None, False) is None
    assert _C.fast_full((2,), 0.0, None, "meta", False) is None
    assert not _C.fast_normal(mg.ones(2, requires_grad=True), 0.0, 1.0, None)
    assert not _C.fast_uniform(mg.ones(2, 3).t(), 0.0, 1.0, None)


def test_a_generator_in_use_is_waited_for() -> None:
    mg.manual_seed(0)
    mg.rand(1)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with mg.default_generator._lock:
            taken.set()
            done.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    taken.wait(10)
    try:
        assert _C.fast_draw(False, (3,), {}) is None
        assert _C.fast_randperm(3, None) is None
    finally:
        done.set()
        other.join()
    assert _C.fast_draw(False, (3,), {}) is not None


def test_default_dtype_is_followed() -> None:
    mg.rand(1)
    before = mg.get_default_dtype()
    try:
        mg.set_default_dtype(mg.float64)
        for made in (mg.zeros(2), mg.full((2,), 1.0), mg.tensor(1.0), mg.rand(2), mg.eye(2)):
            assert made.dtype is mg.float64
    finally:
        mg.set_default_dtype(before)


def test_attributes() -> None:
    def attributes(m: Any) -> list:
        x = m.zeros(2, 3, 4)
        found: list = []
        for t in (x, x.transpose(0, 2), x[:, None], x[:1].expand(5, 3, 4), m.zeros(()), m.zeros(0)):
            for read in (
                lambda t=t: [t.stride(), t.size(), t.shape, t.numel(), t.ndim, t.dim()],
                lambda t=t: [t.is_contiguous(), str(t.dtype), str(t.device), t.tolist()],
                lambda t=t: [t.stride(-1), t.size(0)],
                lambda t=t: t.size(9),
                lambda t=t: t.item(),
            ):
                try:
                    found.append(read())
                except Exception as error:
                    found.append(type(error))
        return found

    torch = pytest.importorskip("torch")
    assert attributes(mg) == attributes(torch)
    assert type(mg.zeros(2).shape) is mg.Size and mg.zeros(3).data_ptr() != 0
    for name in ("shape", "dtype", "device", "ndim"):
        with pytest.raises(AttributeError):
            setattr(mg.zeros(2), name, None)


def test_arrays_are_shared() -> None:
    a = np.zeros((2, 3), np.float32)
    mg.from_numpy(a.T).fill_(2)
    assert (a == 2).all()
    with pytest.raises(ValueError):
        mg.from_numpy(a[::-1])
    with pytest.raises(TypeError):
        mg.from_numpy(a.astype("U8"))
