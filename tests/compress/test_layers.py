"""Low rank, N:M sparsity, shared weights and fused batch norms, against closed forms."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import compress, nn
from minigrad.nn.utils import parametrize, prune
from minigrad.vision import models as zoo

D = mg.float64


def same(a: Any, b: Any, tolerance: float = 1e-9) -> None:
    a, b = a.detach().numpy(), b.detach().numpy()
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(a).max())


CONVS: list[dict[str, Any]] = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "bias": False},
    {"kernel_size": 3, "padding": "same", "padding_mode": "reflect"},
    {"kernel_size": 1},
]


@pytest.mark.parametrize("conv", ["channel", "spatial"])
@pytest.mark.parametrize("options", CONVS)
def test_full_rank_convolutions_compute_the_same(options: dict, conv: str) -> None:
    layer = nn.Conv2d(3, 7, **options).double()
    pair, what = compress.factorize_layer(layer, 1.0, conv=conv)
    assert what.rank == what.full_rank and abs(what.energy - 1) < 1e-12
    x = mg.randn(2, 3, 12, 13, dtype=D)
    same(layer(x), pair(x))
    half, what = compress.factorize_layer(layer, 0.5, conv=conv)
    assert half(x).shape == layer(x).shape and half[0].out_channels == what.rank


def test_linear_is_the_nearest_of_its_rank() -> None:
    layer = nn.Linear(9, 6).double()
    values = np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)
    for rank in (1, 3, 6):
        pair, what = compress.factorize_layer(layer, rank)
        product = (pair[1].weight @ pair[0].weight).detach().numpy()
        lost = np.linalg.norm(product - layer.weight.detach().numpy())
        assert abs(lost - np.sqrt((values[rank:] ** 2).sum())) < 1e-10
        assert abs(what.energy - (values[:rank] ** 2).sum() / (values**2).sum()) < 1e-12
    for energy in (0.3, 0.8, 0.99, 1.0):
        _, what = compress.factorize_layer(layer, energy=energy)
        kept = np.cumsum(values**2) / (values**2).sum()
        assert what.rank == int((kept < energy - 1e-12).sum()) + 1


def test_factorize_a_model() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=2), nn.Flatten(),
        nn.Linear(16 * 16, 32), nn.Linear(32, 4),
    ).double()  # fmt: skip
    x = mg.randn(2, 3, 6, 6, dtype=D)
    small, found = compress.factorize(model, 0.25)
    assert {k: (v.rank, v.full_rank) for k, v in found.items()} == {
        "0": (4, 16), "4": (8, 32), "5": (1, 4),
    }  # fmt: skip
    assert sum(p.numel() for p in small.parameters()) < 0.5 * sum(
        p.numel() for p in model.parameters()
    )
    assert compress.count_flops(small, x) < compress.count_flops(model, x)
    small(x).sum().backward()
    assert type(model[4]) is nn.Linear  # a copy was factored
    _, found = compress.factorize(model, 1.0)
    assert not found  # two layers would be no smaller
    whole, found = compress.factorize(model, 1.0, always=True)
    assert len(found) == 3
    same(whole(x), model(x))
    _, found = compress.factorize(model, {"4": 2, "5": 1}, inplace=True)
    assert list(found) == ["4", "5"] and isinstance(model[4], nn.Sequential)
    for wrong in ({"rank": 0}, {"rank": 99}, {"energy": 2.0}, {}, {"rank": 1, "energy": 0.5}):
        with pytest.raises(ValueError, match="factorize"):
            compress.factorize(nn.Sequential(nn.Linear(8, 8)), **wrong)
    with pytest.raises(ValueError, match="'gone' fits no"):
        compress.factorize(whole, 1, layers="gone")
    with pytest.raises(TypeError, match="ReLU was given"):
        compress.factorize_layer(nn.ReLU(), 1)


def test_nm_mask_by_hand() -> None:
    weight = mg.tensor([[1.0, -3, 2, 0.5, 4, 4, 4, 4], [0, 0, 0, 0, -1, 9, 0, 8]])
    wanted = [[0, 1, 1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 1, 0, 1]]
    assert compress.nm_mask(weight).tolist() == wanted
    assert compress.nm_mask(weight.T, dim=0).T.tolist() == wanted
    assert compress.nm_mask(weight, 1, 8).sum(1).tolist() == [1, 1]
    assert not compress.is_nm_sparse(weight) and compress.is_nm_sparse(weight * mg.tensor(wanted))
    conv = mg.randn(3, 8, 2, 2)
    mask = compress.nm_mask(conv)
    assert mask.shape == conv.shape and mask.reshape(3, 2, 4, 2, 2).sum(2).unique().tolist() == [2]
    with pytest.raises(ValueError, match="multiple of m=4"):
        compress.nm_mask(mg.ones(2, 6))
    with pytest.raises(ValueError, match="0 < n < m"):
        compress.nm_mask(weight, 4, 4)


def test_nm_masks_stay_under_training() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3))
    assert compress.sparsify(model) == ["0", "3"]
    optimizer = mg.optim.AdamW(model.parameters(), lr=0.1)
    x = mg.randn(5, 4, 4, 4)
    before = model[3].weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    model(x)
    assert compress.is_nm_sparse(model[0].weight) and compress.is_nm_sparse(model[3].weight)
    assert not np.array_equal(before.numpy(), model[3].weight.detach().numpy())
    y = model(x)
    for i in (0, 3):
        prune.remove(model[i], "weight")
    same(y, model(x), 1e-6)
    report = compress.report(model, x, repeats=1)[0]
    assert report.nonzero == report.parameters - (8 * 4 * 9 + 32 * 3) // 2
    with pytest.raises(ValueError, match="'gone' fits no layer"):
        compress.sparsify(model, layers="gone")
    with pytest.raises(ValueError, match="no layer has a multiple"):
        compress.sparsify(nn.Linear(3, 4))


def test_kmeans() -> None:
    values = mg.tensor([[0.0, 0.1, 5.0], [5.2, 9.9, 10.0]], dtype=D)
    table, index = compress.kmeans_1d(values, 3)
    np.testing.assert_allclose(table.numpy(), [0.05, 5.1, 9.95])
    assert index.tolist() == [[0, 0, 1], [1, 2, 2]]
    table, index = compress.kmeans_1d(values, 10)
    assert np.array_equal(table[index].numpy(), values.numpy())
    x = mg.randn(1000, dtype=D)
    table, index = compress.kmeans_1d(x, 7, 500)
    gaps = np.abs(x.numpy()[:, None] - table.numpy())
    assert np.array_equal(gaps.argmin(1), index.numpy())  # nearest centres
    for i in range(7):  # which are means
        np.testing.assert_allclose(table[i].item(), x.numpy()[index.numpy() == i].mean())
    with pytest.raises(ValueError, match="finite"):
        compress.kmeans_1d(mg.tensor([float("nan")]), 2)


@pytest.mark.parametrize("clusters, share", [(16, 1 / 8), (256, 1 / 4), (300, 1 / 2)])
def test_clustered_weights(clusters: int, share: float) -> None:
    model = nn.Sequential(nn.Linear(63, 63), nn.ReLU(), nn.Linear(63, 3))
    x = mg.randn(4, 63)
    dense = compress.report(model, x, repeats=1)[0].bytes
    assert compress.cluster_weights(model, clusters, layers="0") == ["0"]
    weight = model[0].weight
    assert len(np.unique(weight.detach().numpy())) <= clusters
    bytes_ = compress.report(model, x, repeats=1)[0].bytes
    assert bytes_ < share * dense + 4 * clusters + 4 * 63 * 5
    # The gradient of an entry is the sum of those of its weights.
    model(x).square().sum().backward()
    plain = copy.deepcopy(model)
    assert compress.uncluster_weights(plain) == ["0"] and type(plain[0]) is nn.Linear
    same(plain(x), model(x), 1e-6)
    plain.zero_grad()
    plain(x).square().sum().backward()
    table = model[0].parametrizations.weight.original
    values, grads = weight.detach().numpy().ravel(), plain[0].weight.grad.numpy().ravel()
    wanted = [grads[values == v].sum() for v in table.detach().numpy()]
    np.testing.assert_allclose(table.grad.numpy(), wanted, 1e-3, 1e-4)
    mg.optim.SGD(model.parameters(), lr=0.01).step()
    assert len(np.unique(model[0].weight.detach().numpy())) <= clusters


def test_clustered_weights_are_saved() -> None:
    model, other = nn.Sequential(nn.Linear(20, 20)), nn.Sequential(nn.Linear(20, 20))
    compress.cluster_weights(model, 8)
    compress.cluster_weights(other, 8)
    file = io.BytesIO()
    mg.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(mg.load(file))
    x = mg.randn(2, 20)
    same(model(x), other(x), 0)
    assert parametrize.is_parametrized(model[0], "weight")
    with pytest.raises(ValueError, match="enough weights"):
        compress.cluster_weights(nn.Linear(2, 2), 8)
    with pytest.raises(ValueError, match="fits no layer"):
        compress.cluster_weights(nn.Linear(2, 2), 8, layers="x")


def test_tied_weights() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(7, 4), "out": nn.Linear(4, 7, bias=False)})
    compress.tie_weights(model, "embed.weight", "out.weight")
    assert model["out"].weight is model["embed"].weight
    assert sum(p.numel() for p in model.parameters()) == 28
    with pytest.raises(ValueError, match="equal shapes"):
        compress.tie_weights(
            nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2)), "0.weight", "1.weight"
        )
    with pytest.raises(ValueError, match="two names"):
        compress.tie_weights(model, "embed.weight")


def settled(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for t in (module.running_mean, module.running_var, module.weight, module.bias):
                t.detach().uniform_(0.5, 1.5)
    return model.double().eval()


class Twice(nn.Module):
    """A convolution whose result is also used beside the norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        return self.norm(y) + y


def plain_layers() -> Any:
    """Convolutions that have biases, as VGG's."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6 * 225, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    "make, count", [(zoo.resnet18, 20), (zoo.mobilenet_v2, 52), (plain_layers, 2)]
)
def test_batch_norms_are_fused(make: Any, count: int) -> None:
    mg.manual_seed(0)
    model = settled(make())
    x = mg.randn(2, 3, 32, 32, dtype=D)
    fused, pairs = compress.fuse_conv_bn(model, x)
    assert len(pairs) == count
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    same(model(x), fused(x), 1e-8)
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_fusion_of_other_layers() -> None:
    model = settled(
        nn.Sequential(
            nn.ConvTranspose2d(2, 4, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 6),
            nn.BatchNorm1d(6), nn.ReLU(), nn.BatchNorm1d(6),
        )
    )  # fmt: skip
    x = mg.randn(3, 2, 2, 2, dtype=D)
    fused, pairs = compress.fuse_conv_bn(model, x)
    assert pairs == [("0", "1"), ("3", "4")]
    same(model(x), fused(x), 1e-9)
    twice = settled(Twice())
    fused, pairs = compress.fuse_conv_bn(twice, x)
    assert pairs == []
    same(twice(x), fused(x), 0)
    masked = settled(nn.Sequential(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(4)))
    prune.l1_unstructured(masked[0], "weight", 0.5)
    fused, pairs = compress.fuse_conv_bn(masked, x)
    assert pairs == []
    same(masked(x), fused(x), 0)
    sequence = settled(nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(3)))  # channels elsewhere
    y = mg.randn(2, 3, 4, dtype=D)
    fused, pairs = compress.fuse_conv_bn(sequence, y)
    assert pairs == []
