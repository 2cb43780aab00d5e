"""Subclasses of Tensor and `__torch_function__`, beside PyTorch's."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from pair import both, torch

import minigrad as mg
from minigrad import dispatch


@both
def test_results_are_of_the_subclass(m: Any) -> None:
    class Named(m.Tensor):
        label = "n"

        def twice(self) -> Any:
            return self * 2

    t = Named([1.0, 2.0])
    assert type(t) is Named and t.label == "n"
    for result in (
        t + 1, 1 + t, -t, t.sum(), t[0], t.twice(), m.stack([t, t]), m.ones(2) + t, t.detach(),
        m.zeros_like(t), t.view(2, 1), t.double(), m.nn.functional.relu(t), t.T, m.cat((t, t)),
        t.max(0)[0], t.split(1)[0], t.clone(), t.as_subclass(Named), t.new_ones(2),
        m.nn.Linear(2, 2)(t),
    ):  # fmt: skip
        assert type(result) is Named
    assert type(t.as_subclass(m.Tensor)) is m.Tensor
    assert t.tolist() == [1, 2] and type(t.shape) is m.Size and t.numpy().tolist() == [1, 2]
    before = t
    t += 1
    assert t is before and type(t) is Named
    assert isinstance(t, m.Tensor) and bool((t == t).all())


@both
def test_gradients_flow(m: Any) -> None:
    class Named(m.Tensor):
        pass

    x = m.ones(2, requires_grad=True)
    y = (x * 3).as_subclass(Named)
    (y * y).sum().backward()
    assert x.grad.tolist() == [18, 18]
    t = Named([1.0, 2.0]).requires_grad_()
    assert t.is_leaf
    (t * 2).sum().backward()
    assert t.grad.tolist() == [2, 2]


@both
def test_a_class_that_logs(m: Any) -> None:
    calls = []

    class Logged(m.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            calls.append((func.__name__, types, len(args)))
            return super().__torch_function__(func, types, args, kwargs or {})

    t = Logged([1.0, 4.0])
    calls.clear()
    m.sqrt(t)
    t.exp()
    m.add(m.ones(2), other=t)
    m.cat([m.ones(1), t])
    m.nn.functional.softmax(t, dim=0)
    names = [name for name, _, _ in calls]
    assert names[:2] == ["sqrt", "exp"] and names[2] == "add" and "cat" in names
    assert "softmax" in names
    assert all(types == (Logged,) for _, types, _ in calls)
    m.sqrt(m.ones(2))
    assert len(calls) == len(names)


@both
def test_handlers_by_function(m: Any) -> None:
    """The example of PyTorch's documentation: a metadata tensor and a table of implementations."""
    handled = {}

    def implements(function: Any) -> Any:
        def decorate(f: Any) -> Any:
            handled[function] = f
            return f

        return decorate

    class Meta(m.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func not in handled:
                return NotImplemented
            return handled[func](*args, **(kwargs or {}))

    @implements(m.mean)
    def mean(input: Any) -> str:
        return "mean of a Meta"

    @implements(m.add)
    def add(input: Any, other: Any) -> str:
        return "sum"

    t = Meta([1.0])
    assert m.mean(t) == "mean of a Meta"
    assert m.add(m.ones(1), t) == "sum"
    with pytest.raises(TypeError, match="Multiple dispatch failed"):
        m.exp(t)


@both
def test_subclass_of_subclass_comes_first(m: Any) -> None:
    seen = []

    class Base(m.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            seen.append(cls.__name__)
            return super().__torch_function__(func, types, args, kwargs or {})

    class Derived(Base):
        pass

    a, b = Base([1.0]), Derived([1.0])
    seen.clear()
    result = m.add(a, b)
    assert seen[0] == "Derived" and type(result) is Derived


@both
def test_mode(m: Any) -> None:
    from importlib import import_module

    overrides = import_module(f"{m.__name__}.overrides")
    names = []

    class Mode(overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x = m.ones(2)
    with Mode():
        m.exp(x)
        y = m.zeros(3)
    m.exp(x)
    assert names == ["exp", "zeros"] and y.shape == (3,)


@both
def test_questions(m: Any) -> None:
    from importlib import import_module

    o = import_module(f"{m.__name__}.overrides")

    class Own(m.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return "own"

    t = Own([1.0])
    assert o.has_torch_function((1, t)) and not o.has_torch_function((m.ones(1), 1))
    assert o.is_tensor_like(t) and not o.is_tensor_like(1)

    def mine(x: Any) -> Any:
        if o.has_torch_function((x,)):
            return o.handle_torch_function(mine, (x,), x)
        return "plain"

    assert mine(t) == "own" and mine(m.ones(1)) == "plain"
    assert o.is_tensor_method_or_property(m.Tensor.exp_)
    assert any(f is m.exp for f in o.get_overridable_functions()[m])
    assert m.is_tensor in o.get_ignored_functions()
    assert o.resolve_name(m.Tensor.exp_) == "torch.Tensor.exp_"


def test_parameters_are_plain_tensors() -> None:
    from minigrad import dispatch

    class Special(mg.nn.Parameter):
        pass

    assert Special in dispatch.plain_classes and mg.nn.Parameter in dispatch.plain_classes
    p = Special(mg.ones(2))
    assert type(p) is Special and type(p * 2) is mg.Tensor
    module = mg.nn.Module()
    module.p = p
    assert dict(module.named_parameters())["p"] is p


def test_values_are_the_same_when_armed() -> None:
    """Armed functions give what they gave, whatever the arguments."""

    class Arms(mg.Tensor):
        pass

    x = np.random.default_rng(0).standard_normal((3, 4))
    t, u = mg.from_numpy(x), torch.from_numpy(x)
    assert Arms([1.0]).tolist() == [1]
    for name in ("exp", "relu", "sum", "softmax"):
        args = (1,) if name == "softmax" else ()
        np.testing.assert_allclose(
            getattr(mg, name)(t, *args).numpy(), getattr(torch, name)(u, *args).numpy()
        )


def test_a_class_that_is_gone_asks_for_nothing() -> None:
    gc.collect()
    before = dispatch._needed

    class Brief(mg.Tensor):
        pass

    t = mg.ones(2).as_subclass(Brief)
    assert type(t + 1) is Brief and dispatch._needed == before + 1
    del t, Brief
    gc.collect()
    assert dispatch._needed == before
