"""The kernels of `grid_sample`: every instruction set, blocks of points, edges, bits of threads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import _C, sampling
from minigrad.ops.sampling import _composed

CASES = [
    (mode, padding, align)
    for mode in ("bilinear", "nearest")
    for padding in sampling.PADDINGS
    for align in (False, True)
]


def operands(dtype, n, c, h, w, p, q):
    rng = np.random.default_rng(h * 100 + p)
    x = rng.standard_normal((n, c, h, w)).astype(dtype)
    return x, rng.uniform(-2.5, 2.5, (n, p, q, 2)).astype(dtype)


def composed(x, grid, g, case):
    a, b = mg.tensor(x, requires_grad=True), mg.tensor(grid, requires_grad=True)
    out = _composed(a, b, *case)
    out.backward(mg.tensor(g))
    return out.detach().numpy(), a.grad.numpy(), b.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_against_operations(isa, dtype, case):
    mode, padding, align = case
    how = sampling.PADDINGS.index(padding), mode == "nearest", align
    for sizes in ((2, 3, 5, 4, 3, 7), (1, 1, 1, 1, 1, 1), (1, 2, 1, 6, 5, 13), (2, 17, 9, 8, 9, 15),
                  (0, 2, 3, 3, 2, 2), (2, 0, 3, 3, 2, 2), (2, 2, 3, 3, 0, 2)):  # fmt: skip
        x, grid = operands(dtype, *sizes)
        g = np.random.default_rng(1).standard_normal((*x.shape[:2], *grid.shape[1:3])).astype(dtype)
        got = (
            sampling.grid_sample(x, grid, how),
            sampling.grid_sample_planes(g, grid, x.shape[2:], how),
            sampling.grid_sample_points(g, x, grid, how),
        )
        tolerance = 2e-4 if dtype == np.float32 else 1e-11
        for a, b in zip(got, composed(x, grid, g, case), strict=True):
            assert a.dtype == dtype and a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_coordinates_that_are_no_numbers(isa):
    x = np.arange(1, 13, dtype=np.float32).reshape(1, 1, 3, 4)
    grid = np.zeros((1, 1, 5, 2), np.float32)
    grid[0, 0, :, 0] = np.nan, np.inf, -np.inf, 3e38, -3e38
    for nearest in (False, True):
        border = sampling.grid_sample(x, grid, (1, nearest, True))[0, 0, 0]
        np.testing.assert_array_equal(border, [5, 8, 5, 8, 5])
    np.testing.assert_array_equal(sampling.grid_sample(x, grid, (0, True, True))[0, 0, 0], 0)
    g = np.ones((1, 1, 1, 5), np.float32)
    assert sampling.grid_sample_planes(g, grid, (3, 4), (0, True, True)).sum() == 0


def test_what_lies_outside_is_not_read(isa):
    x = np.full((1, 1, 2, 2), np.inf, np.float32)
    x[0, 0, 1, 1] = 7
    grid = np.full((1, 1, 1, 2), 5, np.float32)
    assert sampling.grid_sample(x, grid, (0, False, False)).item() == 0


def test_threads(num_threads):
    x, grid = operands(np.float32, 3, 40, 20, 20, 40, 50)
    g = np.random.default_rng(1).standard_normal((3, 40, 40, 50)).astype(np.float32)
    found = []
    for threads in (1, 2):
        num_threads(threads)
        found.append((
            sampling.grid_sample(x, grid, (0, False, False)),
            sampling.grid_sample_planes(g, grid, (20, 20), (0, False, False)),
            sampling.grid_sample_points(g, x, grid, (0, False, False)),
        ))  # fmt: skip
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_refuses():
    x, grid = operands(np.float32, 2, 3, 4, 5, 2, 2)
    g = np.zeros((2, 3, 2, 2), np.float32)
    with pytest.raises(ValueError, match="needed"):
        _C.grid_sample(x[:1], grid, 0, False, False)
    with pytest.raises(TypeError):
        _C.grid_sample(x.astype(np.float64), grid, 0, False, False)
    with pytest.raises(ValueError, match="no padding 3"):
        _C.grid_sample(x, grid, 3, False, False)
    with pytest.raises(ValueError, match="g is"):
        _C.grid_sample_points(g[:, :2].copy(), x, grid, 0, False, False)
    for size in ((0, 5), (1 << 20, 1 << 20), (-1, 4)):
        with pytest.raises(ValueError, match="needed"):
            _C.grid_sample_planes(g, grid, *size, 0, False, False)
