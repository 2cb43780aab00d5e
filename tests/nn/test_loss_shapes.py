"""Losses of inputs and targets whose shapes or types differ, beside PyTorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
FLOATS = ("float16", "bfloat16", "float32", "float64")
SHAPES = ((), (3,), (4, 3))


def run(lib: Any, loss: str, shapes: tuple, dtypes: tuple, reduction: str) -> Any:
    pair = [
        lib.full(shape, value).to(getattr(lib, dtype))
        for shape, value, dtype in zip(shapes, (0.5, 0.75), dtypes, strict=True)
    ]
    try:
        out = getattr(lib.nn.functional, loss)(*pair, reduction=reduction)
    except (IndexError, RuntimeError) as error:
        return type(error).__name__
    return str(out.dtype), tuple(out.shape), out.double().numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize(
    "loss", ["kl_div", "l1_loss", "mse_loss", "multilabel_soft_margin_loss", "smooth_l1_loss"]
)
def test_types_and_shapes(loss: str, reduction: str) -> None:
    for shapes in itertools.product(SHAPES, SHAPES):
        for dtypes in itertools.product(FLOATS, FLOATS):
            ours, theirs = (run(lib, loss, shapes, dtypes, reduction) for lib in (mg, torch))
            assert ours[:2] == theirs[:2]
            if not isinstance(theirs, str):
                np.testing.assert_allclose(ours[2], theirs[2], rtol=2e-2)


@pytest.mark.parametrize("loss", ["nll_loss", "cross_entropy"])
def test_no_scores_and_one_class(loss: str) -> None:
    for lib in (mg, torch):
        with pytest.raises(IndexError, match="no dimensions"):
            getattr(lib.nn.functional, loss)(lib.ones(0, 3), lib.tensor(1))
