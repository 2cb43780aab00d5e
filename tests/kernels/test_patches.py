"""Patches, cut and added up: every instruction set, geometries, types, bits between threads."""

import ml_dtypes
import numpy as np
import pytest

from minigrad.kernels import _C, cpu, numpy_patches

# (planes' size, kernel, stride, padding, dilation)
GEOMETRIES = [
    ((5, 6), (2, 2), (1, 1), (0, 0), (1, 1)),
    ((1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    ((7, 33), (3, 2), (1, 1), (1, 2), (1, 1)),
    ((9, 40), (3, 3), (2, 3), (2, 0), (2, 4)),
    ((4, 3), (2, 3), (4, 5), (3, 7), (1, 2)),
    ((8, 17), (4, 4), (4, 4), (0, 0), (1, 1)),
]


@pytest.mark.parametrize("size,kernel,stride,padding,dilation", GEOMETRIES)
def test_against_numpy(isa, size, kernel, stride, padding, dilation):
    rng = np.random.default_rng(0)
    geometry = stride, padding, dilation
    for n, c in ((2, 3), (1, 1), (0, 2), (2, 0)):
        x = rng.standard_normal((n, c, *size)) * 100
        for dtype in (np.float64, np.float32, ml_dtypes.bfloat16, np.uint8, bool, np.complex128):
            a = x.astype(dtype)
            got, want = cpu.im2col(a, kernel, geometry), numpy_patches.im2col(a, kernel, geometry)
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
        columns = rng.integers(-9, 10, want.shape)
        for dtype in (np.float64, np.float32, np.float16, np.complex64):
            a = columns.astype(dtype)
            got = cpu.col2im(a, size, kernel, geometry)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, numpy_patches.col2im(a, size, kernel, geometry))


def test_strided_images(isa):
    x = np.arange(2 * 3 * 8 * 9, dtype=np.float32).reshape(2, 3, 8, 9).transpose(0, 1, 3, 2)
    geometry = (1, 2), (1, 0), (1, 1)
    want = numpy_patches.im2col(x, (3, 3), geometry)
    np.testing.assert_array_equal(cpu.im2col(x, (3, 3), geometry), want)


def test_threads(num_threads):
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((8, 16 * 9, 30 * 30)).astype(np.float32)
    found = []
    for threads in (1, 2):
        num_threads(threads)
        image = cpu.col2im(columns, (32, 32), (3, 3), ((1, 1), (0, 0), (1, 1)))
        found.append((image, cpu.im2col(image, (3, 3), ((1, 1), (0, 0), (1, 1)))))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_refuses():
    x, one = np.zeros((1, 2, 4, 4), np.float32), (1, 1)
    columns = np.zeros((1, 8, 9), np.float32)
    _C.col2im(columns, (4, 4), (2, 2), one, (0, 0), one)
    with pytest.raises(ValueError, match="no window"):
        _C.im2col(x, (5, 5), one, (0, 0), one)
    with pytest.raises(ValueError, match="columns are"):
        _C.col2im(columns, (5, 4), (2, 2), one, (0, 0), one)
    for bad in ((0, 1), (1,), [1, 1], ("a", 1)):
        with pytest.raises((TypeError, ValueError)):
            _C.im2col(x, (2, 2), bad, (0, 0), one)
    with pytest.raises(TypeError, match="bytes"):
        _C.im2col(x.astype(np.complex128), (2, 2), one, (0, 0), one)
    with pytest.raises(TypeError, match="bytes"):
        _C.im2col(x.astype(object), (2, 2), one, (0, 0), one)
