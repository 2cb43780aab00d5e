"""Order in memory of results whose operands do not lie in order, against PyTorch's."""

from __future__ import annotations

import pytest
from pair import both, torch

import minigrad as mg

# In `m` (torch or minigrad), x (3, 4, 5) and y (1, 3, 4, 4): views that permute their memory.
EXPRESSIONS = """
m.cat([x, x]); m.cat([x, x], 1); m.cat([x, x], -1); m.stack([x, x]); m.stack([x, x], 1)
m.stack([x, x], -1); m.hstack([x, x]); m.vstack([x, x]); m.dstack([x, x])
x.cumsum(0); x.cumsum(1); x.cumprod(1); x.cummax(0)[0]; x.logcumsumexp(0); x.std(0); x.var(1)
m.var_mean(x, 0)[0]; x.prod(0); x.norm(dim=0); x.norm(3, 0); x.logsumexp(0); x.sum(0); x.mean(0)
x.amax(0); x.amin(0); x.nansum(0); x.argmax(0); x.max(0)[0]; x.median(0)[0]; x.nanmean(0)
x.sum(0, keepdim=True); x.any(0); x.all(0); x.count_nonzero(0); x.int().sum(0); x.half().sum(0)
x.double().mean(0, keepdim=True); x.int().amax(0); x.quantile(0.5, 0); x.abs().sum(1)
m.cat([x.half(), x.half()]); m.stack([x.int(), x.int()]); m.cat([x > 0, x > 0], 1)
m.cat([y, y]); m.cat([y, y], 1); m.cat([y, y.contiguous()])
"""
NAMED = [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(";")]


@pytest.mark.parametrize("expression", NAMED)
def test_results_can_be_viewed(expression: str) -> None:
    """A program that calls `view` on a result of PyTorch's needs one in the same order."""
    strides = []
    for m in (mg, torch):
        x = m.arange(60.0).reshape(3, 5, 4).transpose(1, 2)
        y = m.arange(48.0).reshape(1, 4, 4, 3).permute(0, 3, 1, 2)
        result = eval(expression, {"m": m, "x": x, "y": y})
        strides.append((result.stride(), result.is_contiguous()))
    assert strides[0] == strides[1]


@both
def test_gumbel_of_a_transposed_tensor(m):
    """Noise is drawn in the order of the elements, not of the memory."""
    x = m.zeros(3, 4).T
    m.manual_seed(0)
    a = m.nn.functional.gumbel_softmax(x)
    m.manual_seed(0)
    b = m.nn.functional.gumbel_softmax(x.contiguous())
    assert a.tolist() == b.tolist()
