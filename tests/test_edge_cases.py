"""Values, types and errors at the edges of what operations take, beside PyTorch's.

Each expression, of `m` (torch or minigrad), must print the same with both, or raise an error of
the same class.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from pair import torch

import minigrad as mg

EXPRESSIONS = """
m.tensor([0, 5, 255], dtype=m.uint8).clamp_min(-1)
m.tensor([0, 5, 255], dtype=m.uint8).clamp(-1, 3)
m.tensor([0, 5, 255], dtype=m.uint8).clamp_max(300)
m.tensor([1, 2], dtype=m.int8).clamp(-200, 5)
m.tensor([1, 2], dtype=m.int8).clamp_max(2**70)
m.lcm(m.tensor([2, -4, 2**62]), m.tensor([2**63 - 1, 6, 3]))
m.lcm(m.tensor([171, -30000, 12345], dtype=m.int16), m.tensor([32000, 7, 321], dtype=m.int16))
m.asarray(m.ones(2, requires_grad=True) + 1)
m.asarray(m.ones(2, requires_grad=True) + 1, requires_grad=False)
m.asarray(m.ones(2, requires_grad=True) + 1, copy=True)
m.asarray(m.ones(2, requires_grad=True), dtype=m.float64, requires_grad=False)
[r.shape for r in m.linalg.lstsq(m.rand(1, 3, 2), m.rand(2, 3, 2), driver="gelsd")]
m.is_storage(m.ones(2).untyped_storage()), m.is_storage(m.ones(2))
m.igamma(m.tensor([m.inf, m.nan, m.nan, 0.0, m.inf]), m.tensor([m.nan, 0.0, m.inf, m.inf, m.inf]))
m.igammac(m.tensor([m.inf, m.nan, m.nan, 0.0, m.inf]), m.tensor([m.nan, 0.0, m.inf, 0.0, 3.0]))
m.softmax(m.ones(2, 0, dtype=m.bool), 0)
m.log_softmax(m.ones(0, dtype=m.int8), 0)
m.cdist(m.ones(2, 3, dtype=m.float16), m.ones(0, 3, dtype=m.float16))
m.view_copy(m.arange(6).view(2, 3).t(), (6,))
m.view_copy(m.arange(6).view(2, 3).t(), (5,))
m.view_copy(m.arange(6).view(2, 3).t())
m.arange(3.)[m.tensor([0]).numpy()[:0] / 2]
m.arange(6.).view(2, 3)[:, m.ones(0).numpy()]
m.zeros(2).copy_(3), m.zeros(2).copy_(2.5), m.zeros(2, dtype=m.int32).copy_(2.7)
m.zeros(2).copy_(None)
m.arange(3, out=m.ones(3, requires_grad=True))
m.zeros(3, out=m.ones(3, requires_grad=True))
m.rand(3, out=m.ones(3, requires_grad=True))
m.linspace(0, 1, 3, out=m.ones(1).expand(3))
m.zeros(3, out=m.ones(1).expand(3))
m.randn(3, out=m.ones(1).expand(3))
m.randperm(3, out=[0, 1, 2])
m.cat([m.ones(2)], out=m.ones(2, dtype=m.int64))
m.logcumsumexp(m.ones(2), 0, out=m.ones(2, dtype=m.int64))
m.tensor(m.ones(2).numpy().astype("uint16") * 65535, dtype=m.int64)
m.as_tensor(m.ones(2).numpy().astype("uint32") * 7, dtype=m.float32)
m.asarray(m.ones(2).numpy().astype("uint64"), dtype=m.uint8)
m.tensor(None, dtype=m.int64)
m.tensor([1, {}], dtype=m.float32)
m.tensor([1, {}])
m.tensor(1e300, dtype=m.int64)
m.tensor(2**70, dtype=m.int64)
m.randint(0, 2**20, (2,), dtype=m.float16)
m.ones(2, dtype=m.float16).random_(-(2**20), 5)
m.randperm(256, dtype=m.uint8).shape
m.randperm(257, dtype=m.uint8)
m.max(m.tensor([[1.0, 3.0]]), m.tensor(1), keepdim=True)
m.min(m.tensor([[1.0, 3.0]]), m.tensor([1.0, 2.0]), keepdim=True)
m.norm(m.tensor([[3.0, 4.0]]), 2, m.ones(3, 3).numpy().argmin() + 1)
m.nn.functional.normalize(m.tensor([[3.0, 4.0], [0.0, 12.0]]), 2, None)
m.var(m.ones(2, 3), True, keepdim=True)
m.rot90(m.ones(2, 3), 1.5)
m.special.legendre_polynomial_p(0.5, m.tensor([float("nan"), float("inf"), -1.0, 2.0]))
"""
CASES = EXPRESSIONS.strip().splitlines()


def outcome(m: Any, expression: str) -> Any:
    """What an expression prints, or the class of the error that it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return repr(eval(expression, {"m": m}))
    except Exception as error:
        return type(error).__name__.lstrip("_")


@pytest.mark.parametrize("m", [torch, mg], ids=["torch", "minigrad"])
def test_one_bad_out_of_several_leaves_the_others_alone(m: Any) -> None:
    x, values, wrong = m.tensor([[1.0, 3.0]]), m.zeros(1), m.zeros(1)
    with pytest.raises(RuntimeError):
        m.max(x, 1, out=(values, wrong))
    with pytest.raises((RuntimeError, TypeError)):
        m.frexp(x[0, :1], out=(values, m.zeros(1, dtype=m.bool)))
    assert values.tolist() == wrong.tolist() == [0]


@pytest.mark.parametrize("expression", CASES)
def test_as_pytorch(expression: str) -> None:
    assert outcome(mg, expression) == outcome(torch, expression)
