"""The adaptive softmax and bags of embeddings beside PyTorch's."""

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
LIBS = (torch, mg)


def adaptive(lib, **options):
    lib.manual_seed(0)
    return lib.nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 9, 15], 2.0, dtype=lib.float64, **options)


@pytest.mark.parametrize("head_bias", [True, False])
def test_adaptive_softmax(head_bias):
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((12, 16)), rng.integers(0, 20, 12)
    found = []
    for lib in LIBS:
        layer = adaptive(lib, head_bias=head_bias)
        inputs = lib.tensor(x.tolist(), dtype=lib.float64).requires_grad_()
        output, loss = layer(inputs, lib.tensor(target.tolist()))
        (output.exp().sum() + loss).backward()
        alone = layer(inputs[0], lib.tensor(int(target[0])))
        values = [output, loss, inputs.grad, *[p.grad for p in layer.parameters()]]
        values += [layer.log_prob(inputs), layer.predict(inputs), alone.output, alone.loss]
        found.append([list(layer.state_dict()), *[v.detach().numpy() for v in values]])
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12, strict=True)


def test_adaptive_softmax_refuses():
    for lib in LIBS:
        for cutoffs in ([], [5, 5], [9, 4], [0, 3], [20], [2.5]):
            with pytest.raises(ValueError, match="cutoffs"):
                lib.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs)
        layer = adaptive(lib)
        x = lib.zeros(2, 16, dtype=lib.float64)
        with pytest.raises(RuntimeError, match="Target values should be in"):
            layer(x, lib.tensor([3, 20]))
        with pytest.raises(RuntimeError, match="same size in the batch"):
            layer(x, lib.tensor([3]))
        with pytest.raises(RuntimeError, match="multi-target not supported"):
            layer(x, lib.tensor([[3, 2]]))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2, -1])
@pytest.mark.parametrize("last", [True, False])
def test_bags_of_unequal_length(mode, padding_idx, last):
    """Offsets, with empty bags; the last one ends or starts a bag."""
    ids, offsets = [1, 2, 4, 5, 4, 3, 2, 9, 0], [0, 0, 3, 4, 4, 9]
    found = []
    for lib in LIBS:
        lib.manual_seed(0)
        bag = lib.nn.EmbeddingBag(
            10, 3, mode=mode, padding_idx=padding_idx, include_last_offset=last, dtype=lib.float64
        )
        options = {}
        if mode == "sum":
            scale = lib.linspace(-1, 2, len(ids), dtype=lib.float64).requires_grad_()
            options["per_sample_weights"] = scale
        out = bag(lib.tensor(ids), lib.tensor(offsets), **options)
        (out * out.exp()).sum().backward()
        values = [out, bag.weight.grad, *[v.grad for v in options.values()]]
        found.append([v.detach().numpy() for v in values])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12, strict=True)


@pytest.mark.parametrize("lib", LIBS)
def test_bag_refuses(lib):
    f, table = lib.nn.functional.embedding_bag, lib.zeros(10, 3)
    ids, start = lib.tensor([1, 2, 3]), lib.tensor([0])
    for args, options, error in (
        ((ids, table), {}, ValueError),
        ((ids[None], table, start), {}, ValueError),
        ((ids, table, lib.tensor([1])), {}, RuntimeError),
        ((ids, table, lib.tensor([0, 4])), {}, RuntimeError),
        ((ids, table, start), {"mode": "min"}, ValueError),
        ((ids, table, start), {"mode": "max", "scale_grad_by_freq": True}, ValueError),
        ((ids, table, start), {"per_sample_weights": table[0]}, NotImplementedError),
    ):
        with pytest.raises(error):
            f(*args, **options)
