"""Autocast and vmap exchange the code of the same functions: in any order, and back again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import minigrad as mg
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
    assert mg.mm(x, mg.eye(4)).dtype is mg.float32
    for _ in range(600):  # idle long enough to be as at first
        mg.mm(x, mg.eye(4))
    assert mg.mm.__code__.co_varnames[:2] == ("input", "mat2")
