"""`affine_grid` beside PyTorch, bit for bit: gradients of `grid_sample` jump between elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 28, 32, 33, 100, 224])
def test_identity(size: int, dtype: str, align: bool) -> None:
    def run(lib: Any) -> np.ndarray:
        theta = lib.eye(3, 4, dtype=getattr(lib, dtype))[None]
        grid = lib.nn.functional.affine_grid(theta, (1, 1, size, size + 1, 4), align_corners=align)
        return grid.numpy()

    np.testing.assert_array_equal(run(mg), run(torch))


def test_gradient_under_the_identity() -> None:
    image = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)

    def run(lib: Any) -> np.ndarray:
        theta = lib.eye(2, 3)[None].requires_grad_()
        grid = lib.nn.functional.affine_grid(theta, (1, 1, 28, 28), align_corners=False)
        sampled = lib.nn.functional.grid_sample(lib.from_numpy(image), grid, align_corners=False)
        (sampled * lib.arange(28)).sum().backward()
        return theta.grad.numpy()

    np.testing.assert_allclose(run(mg), run(torch), rtol=1e-4)
