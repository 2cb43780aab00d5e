"""Attention without the matrix of scores: against NumPy in float64, masks, layouts, threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.kernels import cpu, numpy_attention
from minigrad.kernels.cpu import _C

# batch, heads, queries, keys, width, width of values
SHAPES = [
    (1, 1, 1, 1, 1, 1), (2, 2, 16, 16, 16, 16), (1, 2, 33, 65, 7, 5), (2, 1, 100, 200, 64, 64),
    (1, 1, 130, 129, 17, 33), (1, 2, 64, 300, 40, 24), (3, 1, 9, 15, 31, 8),
]  # fmt: skip
WANT = (True, True, True)


def sample(shape: tuple) -> tuple[Any, ...]:
    b, h, n, s, e, f = shape
    rng = np.random.default_rng(0)
    return tuple(
        rng.standard_normal(own).astype(np.float32)
        for own in ((b, h, n, e), (b, h, s, e), (b, h, s, f), (b, h, n, f))
    )


def mask_of(kind: str, shape: tuple) -> Any:
    b, h, n, s, _, _ = shape
    rng = np.random.default_rng(1)
    if kind == "float":
        return rng.standard_normal((n, s)).astype(np.float32)
    if kind == "float columns":
        return rng.standard_normal((h, s, n)).astype(np.float32).swapaxes(1, 2)
    if kind == "bool":
        return rng.random((b, 1, n, s)) < 0.7
    if kind == "keys":
        return rng.random((b, 1, 1, s)) < 0.7
    if kind == "key shifts":
        return rng.standard_normal((s,)).astype(np.float32)
    return None


def both(q: Any, k: Any, v: Any, g: Any, mask: Any, causal: bool, scale: float) -> Any:
    out, stats = _C.attention(q, k, v, mask, causal, scale)
    grads = _C.attention_backward(g, q, k, v, mask, out, stats, causal, scale, WANT)
    return (out, *grads)


def exact(q: Any, k: Any, v: Any, g: Any, mask: Any, causal: bool, scale: float) -> Any:
    q, k, v, g = (x.astype(np.float64) for x in (q, k, v, g))
    if mask is not None and mask.dtype != np.bool_:
        mask = mask.astype(np.float64)
    out, _ = numpy_attention.attention(q, k, v, mask, causal, scale, None)
    want = (*WANT, False)
    grads = numpy_attention.attention_backward(g, q, k, v, mask, causal, scale, None, want)
    return (out, *grads[:3])


@pytest.mark.parametrize("kind", ["", "float", "float columns", "bool", "keys", "key shifts"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_float64(isa: str, shape: tuple, causal: bool, kind: str) -> None:
    q, k, v, g = sample(shape)
    mask = mask_of(kind, shape)
    scale = shape[4] ** -0.5
    for got, want in zip(
        both(q, k, v, g, mask, causal, scale), exact(q, k, v, g, mask, causal, scale)
    ):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_large_scores_keep_normalised_probabilities(isa: str) -> None:
    """The scores of forward and backward agree in every bit, so e^(score - max) does."""
    q, k, v, g = sample((1, 2, 40, 70, 32, 32))
    q *= np.float32(3000)
    # With gradients of one, dv adds the probabilities: they count the queries.
    out, stats = _C.attention(q, k, v, None, False, 1.0)
    _, _, dv = _C.attention_backward(np.ones_like(g), q, k, v, None, out, stats, False, 1.0, WANT)
    np.testing.assert_allclose(dv.sum(2), 40, rtol=1e-5)


def test_rows_masked_entirely_give_zero(isa: str) -> None:
    q, k, v, g = sample((1, 1, 20, 30, 8, 8))
    mask = np.ones((20, 30), np.bool_)
    mask[3] = mask[19] = False
    out, dq, dk, dv = both(q, k, v, g, mask, False, 1.0)
    assert not out[0, 0, [3, 19]].any()
    assert not dq[0, 0, [3, 19]].any()
    for got, want in zip((out, dq, dk, dv), exact(q, k, v, g, mask, False, 1.0)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_not_a_number_stays_in_its_row(isa: str) -> None:
    q, k, v, _ = sample((1, 1, 40, 50, 16, 16))
    q[0, 0, 7, 3] = np.nan
    out, _ = _C.attention(q, k, v, None, False, 0.25)
    assert np.isnan(out[0, 0, 7]).all()
    assert np.isfinite(np.delete(out, 7, 2)).all()


def test_heads_inside_the_rows(isa: str) -> None:
    """Views of one fused projection, as a transformer makes them, with results in their order."""
    b, t, h, d = 2, 37, 3, 16
    fused = np.random.default_rng(0).standard_normal((b, t, 3 * h * d)).astype(np.float32)
    q, k, v = (
        fused[..., i * h * d : (i + 1) * h * d].reshape(b, t, h, d).swapaxes(1, 2) for i in range(3)
    )
    g = np.random.default_rng(1).standard_normal((b, t, h, d)).astype(np.float32).swapaxes(1, 2)
    got = both(q, k, v, g, None, True, 0.25)
    for a, e in zip(got, both(*(np.ascontiguousarray(x) for x in (q, k, v, g)), None, True, 0.25)):
        np.testing.assert_array_equal(a, e)
        assert a.swapaxes(1, 2).flags.c_contiguous


def test_only_what_is_wanted() -> None:
    q, k, v, g = sample((1, 2, 40, 50, 16, 16))
    out, stats = _C.attention(q, k, v, None, False, 0.25)
    every = _C.attention_backward(g, q, k, v, None, out, stats, False, 0.25, WANT)
    for i in range(3):
        want = tuple(i == j for j in range(3))
        some = _C.attention_backward(g, q, k, v, None, out, stats, False, 0.25, want)
        assert [x is not None for x in some] == list(want)
        np.testing.assert_array_equal(some[i], every[i])


@pytest.mark.parametrize("shape", [(1, 1, 700, 300, 32, 32), (5, 4, 70, 140, 16, 24)])
def test_threads_do_not_change_the_bits(isa: str, shape: tuple, num_threads) -> None:  # type: ignore[no-untyped-def]
    q, k, v, g = sample(shape)
    results = []
    for count in (1, 2):
        num_threads(count)
        results.append(both(q, k, v, g, mask_of("bool", shape), True, 0.2))
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types(dtype: type) -> None:
    q, k, v, g = (x.astype(dtype) for x in sample((2, 2, 20, 30, 8, 8)))
    out, stats = cpu.attention(q, k, v, None, True, 0.3, None)
    grads = cpu.attention_backward(g, q, k, v, None, True, 0.3, None, (*WANT, False), out, stats)
    eps = np.finfo(dtype).eps
    for got, want in zip((out, *grads), exact(q, k, v, g, None, True, 0.3)):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=8 * eps, atol=16 * eps)


def test_what_it_does_not_take_goes_to_numpy() -> None:
    q, k, v, _ = sample((2, 2, 4, 4, 8, 8))
    for a, b, c in ((q, k[:1], v), (q[..., ::2], k[..., ::2], v), (q[:, :, :0], k, v)):
        assert _C.attention(a, b, c, None, False, 1.0) is None
    assert _C.attention(q, k, v, np.ones((3, 4), np.bool_), False, 1.0) is None
    assert _C.attention(q.astype(float), k.astype(float), v.astype(float), None, False, 1.0) is None
    with pytest.raises(TypeError, match="causal is a int"):
        _C.attention(q, k, v, None, 1, 1.0)
