"""Optimizer steps against the CPU's, over many tensors of every size in one call."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled

from minigrad.kernels import numpy_optim, numpy_optim_more

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
BOUND = {"float32": 2e-6, "float64": 1e-13, "float16": 2e-3, "bfloat16": 1.6e-2}
SIZES = [1, 3, 4, 31, 4096, 4097, 9001, 0, 5, 2, *range(1, 45)]  # more than one table


def tensors(dtype, seed, sizes=SIZES, positive=False):
    rng = np.random.default_rng(seed)
    draw = [rng.normal(0, 1, n) for n in sizes]
    return [(np.abs(x) + 0.5 if positive else x).astype(dtype) for x in draw]


class Device:
    """Lists of arrays there; each begins `offset` elements behind an aligned place."""

    def __init__(self, cuda, offset=0):
        self.device, self.offset = cuda.device, offset

    def there(self, arrays):
        if arrays is None:
            return None
        pad = np.zeros(self.offset)
        moved = [self.device.array(np.concatenate([pad.astype(a.dtype), a])) for a in arrays]
        return [a[self.offset :] for a in moved]

    def back(self, arrays):
        return [self.device.host(a) for a in arrays]


def assert_near(got, want, dtype):
    for a, b in zip(got, want, strict=True):
        bound = BOUND[np.dtype(dtype).name]
        np.testing.assert_allclose(
            a.astype(np.float64), b.astype(np.float64), rtol=bound, atol=bound
        )


# name, states (positive ones), the numbers and flags of several variants, whether steps are counted
RULES = {
    "sgd_step": ([("m", False)], False, [
        (0.1, 0.9, 0.2, 0.01, False, False, False), (0.1, 0.9, 0.0, 0.0, True, True, False),
        (0.1, 0.9, 0.5, 0.1, False, False, True), (0.1, 0.0, 0.0, 0.1, False, False, False),
    ]),
    "adam_step": ([("m", False), ("v", True), ("x", True)], True, [
        (0.01, 0.9, 0.99, 1e-8, 0.1, True, False), (0.01, 0.4, 0.9, 1e-6, 0.1, False, True),
        (0.01, 0.9, 0.999, 1e-8, 0.0, False, False),
    ]),
    "rmsprop_step": ([("v", True), ("m", False), ("g", False)], True, [
        (0.01, 0.9, 1e-8, 0.1, 0.9, False), (0.01, 0.3, 1e-6, 0.0, 0.5, True),
    ]),
    "adagrad_step": ([("s", True)], True, [
        (0.1, 0.05, 1e-10, 0.1, False), (0.1, 0.0, 1e-10, 0.0, True),
    ]),
}  # fmt: skip
OPTIONAL = {"sgd_step": [0], "adam_step": [2], "rmsprop_step": [1, 2], "adagrad_step": []}
CASES = [(name, k) for name, (_, _, variants) in RULES.items() for k in range(len(variants))]


def state_lists(name, dtype, without):
    kinds = RULES[name][0]
    lists = [tensors(dtype, 10 + k, positive=kind[1]) for k, kind in enumerate(kinds)]
    if name == "rmsprop_step":  # the average of squares is at least the square of the average
        lists[0] = [
            (v + g.astype(np.float64) ** 2).astype(dtype) for v, g in zip(lists[0], lists[2])
        ]
    return [None if k in without else states for k, states in enumerate(lists)]


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name, variant", CASES)
def test_steps(cuda, name, variant, dtype, offset):
    _, counts, variants = RULES[name]
    numbers = variants[variant]
    without = OPTIONAL[name] if variant % 2 else []
    if name == "sgd_step" and numbers[1] == 0:
        without = [0]
    params, grads, states = tensors(dtype, 1), tensors(dtype, 2), state_lists(name, dtype, without)
    on = Device(cuda, offset)
    device_params, device_states = on.there(params), [on.there(s) for s in states]
    device_steps = [cuda.device.array(np.full(1, 4, np.float32)) for _ in SIZES]
    steps = [[5.0] * len(SIZES)] if variant == 0 else [device_steps]
    extra = steps if counts else []
    getattr(cuda, name)(
        device_params, on.there(grads), *device_states, *extra, *numbers, None, None, None,
        cuda.device.stream,
    )  # fmt: skip
    cpu_steps = [np.full((), 4, np.float32) for _ in SIZES]
    getattr(numpy_optim, name)(params, grads, *states, *([cpu_steps] if counts else []), *numbers)
    assert_near(on.back(device_params), params, dtype)
    for got, want in zip(device_states, states, strict=True):
        if want is not None:
            assert_near(on.back(got), want, dtype)
    if counts and variant != 0:
        assert all(cuda.device.host(s)[0] == 5 for s in device_steps)


@pytest.mark.parametrize("half", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_copy_unscale_and_rate_in_one_pass(cuda, half):
    params, grads = tensors(np.float32, 1), tensors(half, 2)
    states = [tensors(np.float32, 3), tensors(np.float32, 4, positive=True)]
    on = Device(cuda)
    device_params, device_states = on.there(params), [on.there(s) for s in states]
    copies = on.there([filled(p.shape, half) for p in params])
    one = [cuda.device.array(np.full(1, v, np.float32)) for v in (0.25, 0.02, 0.0)]
    cuda.adam_step(
        device_params, on.there(grads), *device_states, None, [7] * len(params), one[1],
        0.9, 0.99, 1e-8, 0.1, True, False, copies, one[0], one[2], cuda.device.stream,
    )  # fmt: skip
    wide = [g.astype(np.float32) * np.float32(0.25) for g in grads]
    counts = [np.full((), 6, np.float32) for _ in params]
    rate = float(np.float32(0.02))
    numpy_optim.adam_step(
        params, wide, *states, None, counts, rate, 0.9, 0.99, 1e-8, 0.1, True, False
    )
    got = on.back(device_params)
    assert_near(got, params, np.float32)
    for copy, param in zip(on.back(copies), got, strict=True):
        np.testing.assert_array_equal(copy, param.astype(half))


def test_nothing_changes_where_an_infinity_was_found(cuda):
    params, grads = tensors(np.float32, 1), tensors(np.float32, 2)
    on = Device(cuda)
    there, step = on.there(params), [cuda.device.array(np.ones(1, np.float32)) for _ in params]
    sums = on.there(tensors(np.float32, 3))
    found = cuda.device.array(np.ones(1, np.float32))
    cuda.adagrad_step(
        there, on.there(grads), sums, step, 0.1, 0.0, 1e-10, 0.0, False, None, None, found,
        cuda.device.stream,
    )  # fmt: skip
    for got, want in zip(on.back(there), params, strict=True):
        np.testing.assert_array_equal(got, want)
    assert all(cuda.device.host(s)[0] == 1 for s in step)


@pytest.mark.parametrize("offset", [0, 3])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_lerp_scale_and_norms(cuda, dtype, offset):
    params, ends = tensors(dtype, 1), tensors(dtype, 2)
    on, stream = Device(cuda, offset), cuda.device.stream
    there = on.there(params)
    for order, code in [(1.0, 1), (2.0, 2), (np.inf, 0)]:
        out = cuda.device.array(filled(len(params), np.float64))
        size = cuda.tensor_norms_workspace(there)
        work = cuda.device.array(filled(size, np.uint8))
        cuda.tensor_norms(out, there, work, code, stream)
        want = numpy_optim_more.tensor_norms([p.astype(np.float64) for p in params], order)
        np.testing.assert_allclose(cuda.device.host(out), want, rtol=1e-6)
    cuda.lerp_tensors(there, on.there(ends), 0.3, stream)
    numpy_optim_more.lerp_tensors(params, ends, 0.3)
    assert_near(on.back(there), params, dtype)
    found = cuda.device.array(np.zeros(1, np.float32))
    half = cuda.device.array(np.full(1, 0.5, np.float32))
    cuda.scale_tensors(there, 3.0, half, found, stream)
    assert_near(on.back(there), [(p.astype(np.float64) * 1.5).astype(dtype) for p in params], dtype)
    assert cuda.device.host(found)[0] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(4, 4095), (6, 9000), (1, 0)])
def test_unscaling_finds_what_is_not_finite(cuda, bad, where):
    grads = tensors(np.float16, 1)
    grads[where[0]][where[1]] = bad
    on = Device(cuda)
    there, found = on.there(grads), cuda.device.array(np.zeros(1, np.float32))
    cuda.scale_tensors(there, 0.5, None, found, cuda.device.stream)
    assert cuda.device.host(found)[0] == 1
    out = cuda.device.array(filled(len(grads), np.float64))
    work = cuda.device.array(filled(cuda.tensor_norms_workspace(there), np.uint8))
    cuda.tensor_norms(out, there, work, 0, cuda.device.stream)
    assert not np.isfinite(cuda.device.host(out)[where[0]])


def test_long_norms(cuda):
    arrays = [np.random.default_rng(k).normal(0, 1, n).astype(np.float32)
              for k, n in enumerate([200001, 5, 65536, 65537])]  # fmt: skip
    on = Device(cuda)
    there = on.there(arrays)
    out = cuda.device.array(filled(4, np.float64))
    work = cuda.device.array(filled(cuda.tensor_norms_workspace(there), np.uint8))
    cuda.tensor_norms(out, there, work, 2, cuda.device.stream)
    want = [np.linalg.norm(a.astype(np.float64)) for a in arrays]
    np.testing.assert_allclose(cuda.device.host(out), want, rtol=1e-7)


def test_bad_arguments(cuda):
    device = cuda.device
    x, y = device.array(np.zeros(4, np.float32)), device.array(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="lerp_tensors: grads has .* for a parameter of 4"):
        cuda.lerp_tensors([x], [y], 0.5, 0)
    with pytest.raises(ValueError, match="lerp_tensors: grads has 0 items and params 1"):
        cuda.lerp_tensors([x], [], 0.5, 0)
    with pytest.raises(TypeError, match="lerp_tensors: params is tuple; it must be a list"):
        cuda.lerp_tensors((x,), [x], 0.5, 0)
    with pytest.raises(TypeError, match="scale_tensors: params is float64 .* must be float32"):
        cuda.scale_tensors([x, device.array(np.zeros(2))], 0.5, None, None, 0)
