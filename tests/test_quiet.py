"""NumPy's floating-point warnings reach nobody: NaN and overflow are computed silently.

Each row of the op table runs, forward and twice backward, on zeros, infinities, NaN and numbers at
the ends of the range, with NumPy's warnings turned into errors.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from optable import ROWS
from optable.row import A, Row, build
from test_ops import differentiable, ours, rng_of

import minigrad as mg

SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e38, -1e38, 1e-38, 1, -1, 88, 300, 65504])
FLOATS = ("float16", "bfloat16", "float32", "float64")


def call(row: Row, dtype: str, spoiled: bool) -> tuple[Any, list]:
    """The results and leaves of a row; `spoiled`: with special values in place of some elements."""
    rng, other = rng_of(row), np.random.default_rng(1)
    leaves: list = []

    def convert(values: np.ndarray, spec: A) -> Any:
        name = spec.dtype or dtype
        if spoiled and name in FLOATS:
            values = np.array(values, np.float64)
            some = other.random(values.shape) < 0.6
            values[some] = other.choice(SPECIAL, int(some.sum()))
        with np.errstate(all="ignore"):
            leaves.append(ours(values, name, spec.grad))
        return leaves[-1]

    args, kwargs = build(row.args, rng, dtype, convert), build(row.kwargs, rng, dtype, convert)
    return row.function()(*args, **kwargs), [t for t in leaves if t.requires_grad]


def gradients(outs: list, leaves: list, graph: bool) -> list:
    grads = [mg.ones_like(o) for o in outs]
    found = mg.autograd.grad(outs, leaves, grads, allow_unused=True, create_graph=graph)
    return [g for g in found if g is not None and g.requires_grad]


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_no_warning_of_numpy(row: Row) -> None:
    for dtype in [d for d in FLOATS if d in row.dtypes]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            try:
                outs, leaves = call(row, dtype, True)
                outs = differentiable(outs)
                if outs and leaves:
                    mg.autograd.backward(outs, [mg.ones_like(o) for o in outs], retain_graph=True)
                    if row.second:
                        first = gradients(outs, leaves, True)
                        gradients(first, leaves, False) if first else None
            except (RuntimeError, ValueError) as error:
                # Some refuse such values (probabilities, singular matrices): nothing to see.
                assert "encountered" not in str(error)
