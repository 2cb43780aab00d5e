"""The compiled step of Adafactor against its NumPy form, for every instruction set."""

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_adafactor
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.usefixtures("isa")

SHAPES = [
    (1, 1),
    (3, 5),
    (17,),
    (),
    (0, 2),
    (4, 0),
    (70, 33),
    (5, 16),
    (2, 3, 4, 5),
    (9, 1),
    (1, 9),
]
OPTIONS = [
    (1e-2, -0.8, 1.2e-7, 1e-3, 1.0, 0.0, False),
    (0.5, -0.5, 1e-3, 0.1, 2.0, 0.1, True),
]


def arguments(shapes, dtype, options, seed=0):
    rng = np.random.default_rng(seed)
    params, grads, rows, columns, steps = [], [], [], [], []
    for i, shape in enumerate(shapes):
        params.append(np.array(rng.standard_normal(shape)).astype(dtype))
        grads.append(np.array(rng.standard_normal(shape)).astype(dtype))
        matrix = len(shape) > 1
        rows.append(
            np.array(rng.uniform(1, 2, (*shape[:-1], 1) if matrix else shape)).astype(dtype)
        )
        columns.append(None)
        if matrix:
            columns[-1] = rng.uniform(1, 2, (*shape[:-2], 1, shape[-1])).astype(dtype)
        steps.append(np.array(i % 3, np.float32))
    return [params, grads, rows, columns, steps, *options]


def flat(args):
    return [a for arg in args[:5] for a in arg if a is not None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", OPTIONS)
def test_equals_the_numpy_form(options, dtype):
    got, want = (arguments(SHAPES, dtype, options) for _ in range(2))
    assert _C.adafactor_step(*got) is True
    numpy_adafactor.adafactor_step(*want)
    tolerance = 3e-6 if dtype is np.float32 else 1e-13
    for a, b in zip(flat(got), flat(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_large_matrices_and_threads(num_threads):
    shapes = [(700, 800), (3, 5), (300, 129), (40_000,), (2, 400, 100), (90_000, 7)]
    results = []
    for threads in (1, 2, 3):
        num_threads(threads)
        args = arguments(shapes, np.float32, OPTIONS[0])
        assert _C.adafactor_step(*args)
        results.append(flat(args))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    want = arguments(shapes, np.float64, OPTIONS[0])
    numpy_adafactor.adafactor_step(*want)
    for a, b in zip(results[0], flat(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_nan_stays_in_its_tensor():
    got, want = (arguments([(6, 40), (3, 3)], np.float32, OPTIONS[0]) for _ in range(2))
    for args in (got, want):
        args[1][0][2, 37] = np.nan
    assert _C.adafactor_step(*got)
    numpy_adafactor.adafactor_step(*want)
    for a, b in zip(flat(got), flat(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_what_the_kernel_does_not_take_goes_to_numpy():
    for dtype, turn in ((np.float16, False), (np.float32, True)):
        args, want = (arguments([(4, 4)], dtype, OPTIONS[0]) for _ in range(2))
        if turn:
            args[0][0] = args[0][0].T.copy().T
        assert _C.adafactor_step(*args) is False
        cpu.adafactor_step(*args)
        numpy_adafactor.adafactor_step(*want)
        np.testing.assert_array_equal(args[0][0], want[0][0])


def test_bad_arguments_are_named():
    args = arguments([(3, 4)], np.float32, OPTIONS[0])
    with pytest.raises(TypeError, match="5 arguments were given; it needs 12"):
        _C.adafactor_step(*args[:5])
    with pytest.raises(TypeError, match="columns is a tuple; it must be a list"):
        _C.adafactor_step(*args[:3], tuple(args[3]), *args[4:])
    with pytest.raises(ValueError, match="steps has 2 arrays and params has 1"):
        _C.adafactor_step(*args[:4], args[4] * 2, *args[5:])
    for place, name, size in ((1, "grads", 12), (2, "rows", 3), (3, "columns", 4), (4, "steps", 1)):
        wrong = list(args)
        wrong[place] = [np.ones(7, np.float32)]
        with pytest.raises(RuntimeError, match=rf"{name}.0. is float32 .7,.; .* {size} elements"):
            _C.adafactor_step(*wrong)
