"""Autocast and vmap exchange the code of the same functions: in any order, and back again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext

import pytest

import minigrad as mg
from minigrad.amp import casting
from minigrad.exchange import code_of, exchange
from minigrad.func import grad, vmap


def _lowered(x: mg.Tensor) -> mg.Tensor:
    with mg.autocast("cpu", dtype=mg.bfloat16):
        return mg.mm(x[None], mg.eye(4))


def _mapped(x: mg.Tensor) -> mg.Tensor:
    return vmap(lambda row: mg.mm(row[None], mg.eye(4)))(x)


def _mapped_while_lowered(x: mg.Tensor) -> mg.Tensor:
    with mg.autocast("cpu", dtype=mg.bfloat16):
        return _mapped(x)


def _gradient(x: mg.Tensor) -> mg.Tensor:
    with mg.autocast("cpu", dtype=mg.bfloat16):
        return vmap(grad(lambda w, row: mg.mm(row[None], w).sum()), (None, 0))(mg.eye(4), x)


@pytest.mark.parametrize(
    ("first", "dtype"),
    [
        (vmap(_lowered), mg.bfloat16),
        (_mapped_while_lowered, mg.bfloat16),
        (_mapped, mg.float32),
        (_gradient, mg.float32),
    ],
)
@pytest.mark.parametrize("then", [vmap(_lowered), _mapped_while_lowered, _mapped, _gradient])
def test_both_at_once(first: Callable, dtype: mg.dtype, then: Callable) -> None:
    x = mg.randn(3, 4)
    then(x)
    assert first(x).dtype is dtype
    then(x)
    for _ in range(casting._IDLE_LIMIT + 1):  # then autocast's code goes
        assert mg.mm(x, mg.eye(4)).dtype is mg.float32
    assert exchange(mg.mm).plain.__code__ is code_of(mg.mm)


@pytest.mark.parametrize("around", [nullcontext, lambda: mg.autocast("cpu")])
def test_what_a_function_takes_does_not_change(around: Callable) -> None:
    """Neither NumPy's keywords nor the signature depend on what is exchanged."""
    x = mg.ones(2, 3)

    def look(row: mg.Tensor) -> mg.Tensor:
        assert list(inspect.signature(mg.mm).parameters)[:2] == ["input", "mat2"]
        assert list(inspect.signature(mg.sum).parameters)[:2] == ["input", "dim"]
        return mg.sum(row, axis=-1, keepdims=True)

    with around():
        assert vmap(look)(x).tolist() == [[3.0], [3.0]]
        assert look(x).tolist() == [[3.0], [3.0]]
