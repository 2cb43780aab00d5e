"""`flex_attention` and causal biases beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.func import flex_attention as ours
from minigrad.nn.attention import bias

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.nn.attention.flex_attention")
their_bias = pytest.importorskip("torch.nn.attention.bias")

SCORES = {
    "none": lambda m: None,
    "alibi": lambda m: lambda s, b, h, q, k: s + m.tensor([0.5, -0.25])[h] * (k - q),
    "softcap": lambda m: lambda s, b, h, q, k: 2 * m.tanh(s / 2),
    "table": lambda m: lambda s, b, h, q, k: s + m.arange(5.0)[q] * b,
}
MASKS = {
    "none": lambda f, m: None,
    "causal": lambda f, m: lambda b, h, q, k: q >= k,
    "documents": lambda f, m: lambda b, h, q, k: m.tensor([0, 0, 1, 1, 1, 2, 2])[k] == q % 2,
    "both": lambda f, m: f.and_masks(lambda b, h, q, k: q >= k, lambda b, h, q, k: q - k < 2),
    "either": lambda f, m: f.or_masks(lambda b, h, q, k: q == k, lambda b, h, q, k: h + b > k),
    "nothing": lambda f, m: lambda b, h, q, k: q < 0,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("mask", MASKS)
def test_values_are_pytorchs(score, mask):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, 2, n, 4)).astype(np.float32) for n in (5, 7, 7)]
    results = []
    for m, f in ((mg, ours), (torch, theirs)):
        q, k, v = (m.from_numpy(a) for a in arrays)
        made = MASKS[mask](f, m)
        block = made and f.create_block_mask(made, 2, 2, 5, 7, device="cpu", BLOCK_SIZE=2)
        out, lse = f.flex_attention(q, k, v, SCORES[score](m), block, scale=0.7, return_lse=True)
        results.append([out, lse])
        if block is not None:
            results[-1] += [block.to_dense(), block.kv_num_blocks, block.full_kv_num_blocks]
            results[-1].append(f.create_mask(made, 2, 2, 5, 7, device="cpu"))
            assert isinstance(block.sparsity(), float) and block.shape == (2, 2, 5, 7)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
        assert str(a.dtype) == str(b.dtype)


def test_gradients_are_those_of_finite_differences():
    mg.manual_seed(0)
    q, k, v = (mg.randn(1, 2, n, 3, dtype=mg.float64, requires_grad=True) for n in (3, 4, 4))
    slope = mg.randn(2, dtype=mg.float64, requires_grad=True)
    block = ours.create_block_mask(lambda b, h, i, j: i >= j, None, None, 3, 4, BLOCK_SIZE=2)

    def call(q, k, v, slope):
        return ours.flex_attention(q, k, v, lambda s, b, h, i, j: s + slope[h] * j, block)

    assert mg.autograd.gradcheck(call, (q, k, v, slope))


def test_groups_of_heads_and_bad_shapes():
    q, k = mg.randn(1, 4, 3, 2), mg.randn(1, 2, 3, 2)
    wanted = mg.nn.functional.scaled_dot_product_attention(q, k, k, enable_gqa=True)
    assert mg.allclose(ours.flex_attention(q, k, k, enable_gqa=True), wanted, atol=1e-6)
    scores = q[:, :2] @ k.mT / 2**0.5
    aux = ours.AuxRequest(lse=True, max_scores=True)
    found = ours.flex_attention(q[:, :2], k, k, return_aux=aux)[1]
    assert mg.allclose(found.lse, scores.logsumexp(-1)) and mg.allclose(
        found.max_scores, scores.amax(-1)
    )
    with pytest.raises(ValueError, match="same number of heads"):
        ours.flex_attention(q, k, k)
    with pytest.raises(NotImplementedError, match="4D"):
        ours.flex_attention(q[0], k[0], k[0])
    with pytest.raises(ValueError, match="same dtype"):
        ours.flex_attention(k.double(), k, k)
    with pytest.raises(RuntimeError, match="callable"):
        ours.and_masks(1)


@pytest.mark.parametrize("name", ["causal_upper_left", "causal_lower_right"])
def test_causal_biases(name):
    mine, wanted = getattr(bias, name)(3, 5), getattr(their_bias, name)(3, 5)
    assert isinstance(mine, mg.Tensor) and isinstance(mine, bias.CausalBias)
    np.testing.assert_array_equal(mine.numpy(), wanted._materialize("cpu").numpy())
    arrays = [np.random.default_rng(1).standard_normal((1, 2, n, 4)) for n in (3, 5, 5)]
    a = mg.nn.functional.scaled_dot_product_attention(*map(mg.from_numpy, arrays), mine)
    b = torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, arrays), wanted)
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9)
    assert type(a) is mg.Tensor and mine.variant.name == wanted.variant.name
