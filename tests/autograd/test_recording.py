"""The compiled recording and backward loop against the Python code that says what they do.

Anomaly detection leaves both to Python, so each program runs once with it and once without.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F


def leaves() -> tuple:
    rng = np.random.default_rng(0)
    return tuple(
        mg.tensor(rng.standard_normal(shape), dtype=mg.float32, requires_grad=True)
        for shape in ((4, 3), (3,), (4, 3), (3, 5))
    )


PROGRAMS: dict[str, Callable] = {
    "same shape": lambda a, r, b, w: a * b + a / (b * b + 1) - b,
    "row": lambda a, r, b, w: (a + r) * r - r / (a * a + 1),
    "number": lambda a, r, b, w: 2 - (a * 3.0 + 1) / 2,
    "column": lambda a, r, b, w: a * b.sum(1, keepdim=True),
    "unary": lambda a, r, b, w: (a.exp().tanh() + a.sigmoid() + (a * a + 1).log().sqrt()).relu(),
    "product": lambda a, r, b, w: a @ w + b @ (w * w),
    "linear": lambda a, r, b, w: F.linear(a, w.t().contiguous(), w.sum(0)),
    "views": lambda a, r, b, w: a[1:].reshape(-1)[::2] * b.t().flatten()[:5],
    "several outputs": lambda a, r, b, w: sum(t * t for t in (a + b).split(2)),
    "used twice": lambda a, r, b, w: (a + a) * a + a,
    "maximum": lambda a, r, b, w: a.max(1).values * b.amax(1),
    "in place": lambda a, r, b, w: (a * 1).mul_(b).add_(r)[0].mul_(2),
}


def run(program: Callable, keep: bool = False) -> list:
    inputs = leaves()
    out = program(*inputs)
    out.backward(mg.ones_like(out) * 0.5, retain_graph=keep)
    if keep:
        out.backward(mg.ones_like(out) * 0.25)
    return [out.detach().numpy(), *[None if t.grad is None else t.grad.numpy() for t in inputs]]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("keep", [False, True])
def test_both_forms_agree(name: str, keep: bool) -> None:
    compiled = run(PROGRAMS[name], keep)
    with mg.autograd.detect_anomaly():
        in_python = run(PROGRAMS[name], keep)
    for a, b in zip(compiled, in_python, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6)


def test_nothing_is_recorded_without_need() -> None:
    a, r, _, _ = leaves()
    assert (a.detach() * r.detach()).grad_fn is None
    with mg.no_grad():
        assert (a * r).grad_fn is None
        assert F.linear(a, mg.ones(2, 3)).grad_fn is None
    assert (a * r).grad_fn.name() == "MulBackward0"


def test_a_product_keeps_only_what_a_gradient_needs() -> None:
    a, r, b, _ = leaves()
    x, y = (a * b.detach()).grad_fn.saved
    assert x is None and y is not None
    x, y = (a.detach() @ mg.ones(3, 2, requires_grad=True)).grad_fn.saved
    assert x is not None and y is None
