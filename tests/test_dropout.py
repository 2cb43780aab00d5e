"""Dropout's randomness: rates, reproducibility, the same mask in backward, PyTorch's stream."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import generator, ops
from minigrad.kernels import cpu

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def ones(*shape: int, grad: bool = False) -> mg.Tensor:
    t = mg.Tensor._from_array(np.ones(shape, np.float32))
    return t.requires_grad_() if grad else t


def test_philox_gives_the_published_words() -> None:
    """The known answers of Random123 for Philox 4x32-10."""
    zero = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert cpu.philox(0, 0, 1)[0].tolist() == zero


def test_philox_can_start_anywhere() -> None:
    whole = cpu.philox(12345678901234567, 0, 40000)
    np.testing.assert_array_equal(cpu.philox(12345678901234567, 33333, 10), whole[33333:33343])
    assert len(np.unique(whole)) > 0.99 * whole.size


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_rate_and_scale(p: float) -> None:
    mg.manual_seed(0)
    y = ops.dropout(ones(400, 500), p)._array
    kept = y != 0
    assert abs(kept.mean() - (1 - p)) < 0.005
    np.testing.assert_allclose(y[kept], 1 / (1 - p), rtol=1e-6)


def test_masks_differ_from_call_to_call_and_come_back_with_the_seed() -> None:
    mg.manual_seed(3)
    a, b = ops.dropout(ones(50, 50))._array, ops.dropout(ones(50, 50))._array
    assert (a != b).any()
    mg.manual_seed(3)
    np.testing.assert_array_equal(ops.dropout(ones(50, 50))._array, a)
    np.testing.assert_array_equal(ops.dropout(ones(50, 50))._array, b)


@pytest.mark.parametrize("name", ["dropout", "feature_dropout"])
def test_backward_uses_the_mask_of_forward(name: str) -> None:
    x = ones(8, 6, 5, grad=True)
    y = ops.CATALOGUE[name](x, 0.4, True)
    y.backward(mg.Tensor._from_array(np.ones((8, 6, 5), np.float32)), create_graph=True)
    np.testing.assert_array_equal(x.grad._array, y._array)


def test_features_are_dropped_whole() -> None:
    y = ops.feature_dropout(ones(30, 20, 4, 4), 0.5)._array
    flat = y.reshape(600, 16)
    assert ((flat == 0).all(1) | (flat == 2).all(1)).all()
    assert 0.4 < (flat[:, 0] == 0).mean() < 0.6


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    rng = np.random.default_rng(0)
    x = mg.Tensor._from_array(rng.standard_normal((500, 400)).astype(np.float32))
    y = ops.alpha_dropout(x, 0.3, True)._array
    assert abs(y.mean()) < 0.01
    assert abs(y.std() - 1) < 0.01


def test_in_place() -> None:
    x = ones(4, 5)
    assert ops.dropout(x, 0.5, True, True) is x
    assert set(np.unique(x._array)) <= {0.0, 2.0}
    with pytest.raises(RuntimeError, match="leaf Variable"):
        ops.dropout(ones(4, grad=True), 0.5, True, True)


def test_nothing_to_drop_is_the_input_itself() -> None:
    x = ones(3)
    assert ops.dropout(x, 0.0) is x
    assert ops.dropout(x, 0.5, False) is x


@pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_follows_pytorchs_stream_on_request(p: float) -> None:
    functions = {
        "dropout": torch.nn.functional.dropout,
        "feature_dropout": torch.feature_dropout,
        "alpha_dropout": torch.alpha_dropout,
    }
    before = generator.settings.dropout_follows_torch
    generator.settings.dropout_follows_torch = True
    try:
        for name, function in functions.items():
            values = np.random.default_rng(1).standard_normal((7, 5, 3)).astype(np.float32)
            mg.manual_seed(11)
            torch.manual_seed(11)
            got = ops.CATALOGUE[name](mg.Tensor._from_array(values), p, True)._array
            np.testing.assert_allclose(
                got, function(torch.from_numpy(values), p, True).numpy(), rtol=1e-6, atol=1e-7
            )
    finally:
        generator.settings.dropout_follows_torch = before


@pytest.fixture
def as_torch():
    """Dropout that follows PyTorch's stream."""
    if torch is None:
        pytest.skip("compares with PyTorch")
    before = mg.random.match_torch(True)
    yield
    mg.random.match_torch(before)


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "dropout1d", "feature_alpha_dropout"])
def test_masks_follow_the_order_in_memory(as_torch: None, name: str, p: float) -> None:
    """PyTorch draws the mask of a transposed tensor in the order of its memory."""
    for dims in ((1, 0, 2), (2, 0, 1), (0, 2, 1), (0, 1, 2)):
        results = []
        for m in (mg, torch):
            x = m.arange(60.0).reshape(3, 4, 5).permute(dims) + 1
            m.manual_seed(0)
            results.append(getattr(m.nn.functional, name)(x, p, training=True))
        np.testing.assert_allclose(results[0].numpy(), results[1].numpy(), rtol=1e-5)


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_after_attention(as_torch: None, need_weights: bool) -> None:
    """Attention with the batch first returns what lies in memory as PyTorch's result does."""
    results = []
    for m in (mg, torch):
        m.manual_seed(0)
        attention = m.nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True)
        x = m.randn(3, 5, 8)
        y = m.nn.functional.dropout(attention(x, x, x, need_weights=need_weights)[0], 0.5)
        layer = m.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        decoder = m.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        results.append([t.detach().numpy() for t in (y, layer(x), decoder(x, x))])
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
