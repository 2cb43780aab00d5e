"""Attention and its gradients against NumPy in float64."""

import ml_dtypes
import numpy as np
import pytest
from device_arrays import filled, relative_error

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
BOUNDS = {np.dtype("f4"): 3e-6, np.dtype("f2"): 2e-3, BFLOAT16: 1.5e-2}
# batch, queries, keys, width, value width
SHAPES = [((), 1, 1, 1, 1), ((2, 3), 17, 33, 8, 8), ((2,), 70, 65, 64, 64),
          ((1, 2), 40, 90, 72, 100), ((3,), 5, 40, 12, 128), ((2,), 64, 64, 32, 20)]  # fmt: skip


def reference(q, k, v, mask, causal, scale, grad=None):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    scores = q @ k.swapaxes(-1, -2) * scale
    if causal:
        i, j = np.indices(scores.shape[-2:])
        scores = np.where(j <= i, scores, -np.inf)
    if mask is not None and mask.dtype == bool:
        scores = np.where(mask, scores, -np.inf)
    elif mask is not None:
        scores = scores + mask.astype(np.float64)
    top = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    out = p @ v
    if grad is None:
        return out
    g = grad.astype(np.float64)
    dp = g @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) * scale
    return out, ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ g


def operands(shape, dtype):
    batch, queries, keys, width, value_width = shape
    rng = np.random.default_rng(queries + keys)
    sizes = [(queries, width), (keys, width), (keys, value_width), (queries, value_width)]
    return [rng.standard_normal((*batch, *size)).astype(dtype) for size in sizes]


def check(cuda, q, k, v, grad, mask, causal, scale, bound):
    out_shape = (*q.shape[:-1], v.shape[-1])
    out = filled(out_shape, q.dtype)
    stats = filled((2, *q.shape[:-1]), np.float32)
    cuda.run("attention", out, stats, q, k, v, mask, causal, scale)
    want, *gradients = reference(q, k, v, mask, causal, scale, grad)
    assert relative_error(out, want) < bound
    results = [filled(x.shape, x.dtype) for x in (q, k, v)]
    space = np.zeros(q.size // q.shape[-1], np.float32)
    cuda.run("attention_backward", *results, grad, q, k, v, mask, out, stats, causal, scale, space)
    for name, got, right in zip("qkv", results, gradients):
        # Against the size of all of them: the gradient of the scores of one key is 0.
        error = np.linalg.norm(got.astype(np.float64) - right)
        assert error < 3 * bound * max(np.linalg.norm(x) for x in gradients), name


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sizes(cuda, shape, causal, dtype):
    q, k, v, grad = operands(shape, dtype)
    check(cuda, q, k, v, grad, None, causal, 0.3, BOUNDS[dtype])


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("kind", ["bool", "float32", "own", "row"])
def test_masks(cuda, kind, dtype):
    q, k, v, grad = operands(((2, 3), 20, 40, 16, 16), dtype)
    rng = np.random.default_rng(1)
    mask = rng.standard_normal((3, 20, 40)).astype(np.float32)
    if kind == "bool":
        mask = rng.random((2, 1, 20, 40)) < 0.5
        mask[:, :, 3] = False  # no key at all
    elif kind == "own":
        mask = mask.astype(dtype)
    elif kind == "row":
        mask = mask[0, :1]
    check(cuda, q, k, v, grad, mask, False, 0.25, BOUNDS[dtype])
    check(cuda, q, k, v, grad, mask, True, 0.25, BOUNDS[dtype])


def test_large_scores_and_strided_heads(cuda):
    rng = np.random.default_rng(2)
    qkv = rng.standard_normal((2, 30, 3, 4, 16)).astype(np.float32)  # (B, T, 3, heads, D)
    q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    grad = np.ascontiguousarray(q[..., ::-1])
    check(cuda, q, k, v, grad, None, True, 100.0, 1e-5)


def test_only_some_gradients_are_wanted(cuda):
    q, k, v, grad = operands(SHAPES[1], np.float32)
    out, stats = filled(grad.shape, q.dtype), filled((2, *q.shape[:-1]), np.float32)
    cuda.run("attention", out, stats, q, k, v, None, False, 1.0)
    dv, space = filled(v.shape, v.dtype), np.zeros(stats.size // 2, np.float32)
    cuda.run(
        "attention_backward", None, None, dv, grad, q, k, v, None, out, stats, False, 1.0, space
    )
    assert relative_error(dv, reference(q, k, v, None, False, 1.0, grad)[3]) < 3e-6


def test_bad_arguments(cuda):
    q, k, v, grad = operands(SHAPES[1], np.float32)
    stats = filled((2, *q.shape[:-1]), np.float32)
    with pytest.raises(ValueError, match="attention: k is .* must be of the queries' type"):
        cuda.run("attention", grad, stats, q, k[..., :4], v, None, False, 1.0)
    with pytest.raises(ValueError, match="attention: q is .* at most 128 elements"):
        wide = np.zeros((2, 3, 17, 130), np.float32)
        cuda.run("attention", grad, stats, wide, wide, wide, None, False, 1.0)
    with pytest.raises(ValueError, match="attention: mask is .* must broadcast"):
        cuda.run("attention", grad, stats, q, k, v, np.zeros((5, 1), bool), False, 1.0)
    with pytest.raises(ValueError, match="attention: stats is"):
        cuda.run("attention", grad, stats[0], q, k, v, None, False, 1.0)
