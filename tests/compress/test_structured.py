"""Structured pruning: a smaller network computes what the one with zeros computes."""

from __future__ import annotations

import copy
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import compress, nn
from minigrad.nn.utils import prune
from minigrad.vision import models as zoo
from minigrad.vision.models.resnet import BasicBlock, Bottleneck, ResNet

sys.path.insert(0, str(Path(__file__).parent))
from models import (
    Dense,
    Fixed,
    Gated,
    Mobile,
    PreActivated,
    Residual,
    UNet,
    mlp,
    unsettle,
)

NETWORKS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "mlp": (lambda: mlp(6, 20, 16, 4), (3, 6)),
    "residual": (Residual, (2, 3, 8, 8)),
    "group norm": (lambda: Residual(lambda n: nn.GroupNorm(4, n)), (2, 3, 8, 8)),
    "dense": (Dense, (2, 2, 6, 6)),
    "mobile": (Mobile, (2, 3, 8, 8)),
    "densenet": (PreActivated, (2, 3, 6, 6)),
    "unet": (UNet, (2, 1, 8, 8)),
    "gated": (Gated, (3, 6)),
    # The zoo's blocks and couplings, at a depth and a width that take a second.
    "resnet": (lambda: ResNet(BasicBlock, [1, 2, 1, 1], num_classes=7), (1, 3, 32, 32)),
    "bottlenecks": (
        lambda: ResNet(Bottleneck, [2, 1, 1, 1], num_classes=7, width_per_group=16),
        (1, 3, 32, 32),
    ),
    "mobilenet": (lambda: zoo.mobilenet_v2(num_classes=7, width_mult=0.5), (1, 3, 32, 32)),
    "squeezenet": (lambda: zoo.squeezenet1_1(num_classes=7), (1, 3, 48, 48)),
}


def make(name: str) -> tuple[Any, Any]:
    mg.manual_seed(0)
    build, shape = NETWORKS[name]
    return unsettle(build()).double().eval(), mg.randn(*shape, dtype=mg.float64)


def count(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


def same(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    a, b = a.detach().numpy(), b.detach().numpy()
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(a).max())


@pytest.mark.parametrize("amount", [0.3, 0.6])
@pytest.mark.parametrize("name", NETWORKS)
def test_pruned_computes_what_masked_does(name: str, amount: float) -> None:
    model, x = make(name)
    plan = compress.plan_channels(model, x, amount)
    masked, small = plan.mask(copy.deepcopy(model)), plan.apply(copy.deepcopy(model))
    y = mg.randn(*x.shape, dtype=mg.float64)
    same(masked(y), small(y))
    assert not np.allclose(model(y).numpy(force=True), small(y).numpy(force=True))
    assert count(small) < (1 - amount / 2) * count(model)
    # What the layers say of themselves is what they have: the network can be built from it.
    for layer in small.modules():
        if isinstance(layer, nn.Linear):
            assert layer.weight.shape == (layer.out_features, layer.in_features)
        elif isinstance(layer, nn.Conv2d):
            rows = layer.in_channels // layer.groups
            assert layer.weight.shape[:2] == (layer.out_channels, rows)


@pytest.mark.parametrize("name", ["residual", "group norm", "dense", "mobile", "mobilenet"])
def test_pruned_trains_on(name: str) -> None:
    model, x = make(name)
    small = compress.prune_channels(model, x, 0.5).train()
    optimizer = mg.optim.SGD(small.parameters(), lr=0.01)
    x = mg.cat([x, -x])
    before = small(x).square().mean()
    before.backward()
    assert all(p.grad.shape == p.shape for p in small.parameters())
    optimizer.step()
    assert small(x).square().mean() < before


@pytest.mark.parametrize("dtype", [mg.bfloat16, mg.float16, mg.float32])
def test_narrow_types(dtype: Any) -> None:
    mg.manual_seed(0)
    model = unsettle(Residual()).to(dtype)
    small = compress.prune_channels(model, mg.randn(2, 3, 8, 8).to(dtype), 0.5)
    assert (small.a.out_channels, small.stem.out_channels, small.c.out_channels) == (6, 4, 8)
    assert small.a.weight.dtype == dtype
    assert list(small.channel_plan.refused) == ["head"]


def test_lowest_norms_go() -> None:
    model = mlp(3, 4, 2)
    with mg.no_grad():
        for i, size in enumerate([3.0, 0.1, 2.0, 0.2]):
            model[0].weight[i] = size
    small = compress.prune_channels(model, mg.randn(1, 3), 0.5)
    assert small[0].weight.tolist() == model[0].weight[[0, 2]].tolist()
    assert small[0].bias.tolist() == model[0].bias[[0, 2]].tolist()
    assert small[2].weight.tolist() == model[2].weight[:, [0, 2]].tolist()
    assert small[2].bias.tolist() == model[2].bias.tolist()
    assert model[0].weight.shape == (4, 3)  # a copy was pruned


def test_coupled_layers_are_one_group() -> None:
    graph = compress.trace_channels(Residual(), mg.randn(2, 3, 8, 8))
    assert [(g.layers, g.channels) for g in graph.groups] == [
        (["a"], 12), (["stem", "b"], 8), (["c", "down"], 16),
    ]  # fmt: skip
    assert graph.refused == {"head": "is an output of the model"}
    assert "stem, b" in str(graph)


@pytest.mark.parametrize("name", ["dense", "mobile", "densenet", "unet", "gated", "mobilenet"])
def test_all_but_the_outputs_can_be_pruned(name: str) -> None:
    model, x = make(name)
    refused = compress.trace_channels(model, x).refused
    assert list(refused.values()) == ["is an output of the model"]


def test_criteria() -> None:
    model, x = make("residual")
    weight = model.a.weight.detach().numpy()

    def kept(**options: Any) -> list[int]:
        plan = compress.plan_channels(model, x, 0.5, layers="a", **options)
        assert set(plan.removed) == {
            "a.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
            "b.weight",
        }  # fmt: skip
        return sorted(set(range(12)) - set(plan.removed["a.weight"][0]))

    def best(scores: np.ndarray) -> list[int]:
        return sorted(np.argsort(scores)[6:].tolist())

    assert kept(criterion="l1") == best(np.abs(weight).sum((1, 2, 3)))
    assert kept(criterion="l2") == best((weight**2).sum((1, 2, 3)))
    assert kept(criterion="bn") == best(np.abs(model.norm.weight.detach().numpy()))
    wanted = list(range(12))
    assert kept(criterion=lambda name, p, dim: mg.arange(p.shape[dim])) == wanted[6:]
    draws = [kept(criterion="random", generator=mg.Generator().manual_seed(3)) for _ in range(2)]
    assert draws[0] == draws[1]
    with pytest.raises(ValueError, match="no batch norm"):
        compress.plan_channels(model, x, criterion="bn")
    with pytest.raises(ValueError, match="criterion='l3'"):
        compress.plan_channels(model, x, criterion="l3")


def test_global_scope_takes_from_the_weakest() -> None:
    model = mlp(4, 10, 10, 2).double()
    with mg.no_grad():
        model[0].weight.copy_(mg.ones(10, 4))
        model[2].weight[:8] = 0.01
        model[2].weight[8:] = 5.0
    plan = compress.plan_channels(model, mg.randn(2, 4).double(), 0.4, scope="global")
    assert len(plan.removed["2.weight"][0]) == 8
    assert "0.weight" not in plan.removed
    with pytest.raises(ValueError, match="scope='all'"):
        compress.plan_channels(model, mg.randn(2, 4).double(), scope="all")


def test_amounts_by_layer_and_limits() -> None:
    model, x = make("residual")
    small = compress.prune_channels(model, x, {"a": 0.5, "c*": 0.25})
    assert (small.a.out_channels, small.c.out_channels, small.down.out_channels) == (6, 12, 12)
    assert small.stem.out_channels == 8
    small = compress.prune_channels(model, x, 0.9, round_to=4)
    assert (small.a.out_channels, small.stem.out_channels) == (4, 4)
    small = compress.prune_channels(model, x, 0.9, min_channels=5)
    assert small.b.out_channels == 5
    for wrong in (1.0, -0.1, "half", True):
        with pytest.raises(ValueError, match="share"):
            compress.plan_channels(model, x, wrong)


def test_group_norm_loses_whole_groups() -> None:
    model, x = make("group norm")
    small = compress.prune_channels(model, x, 0.5, layers="a")
    assert (small.norm.num_groups, small.norm.num_channels) == (2, 6)


def test_what_stays_says_why() -> None:
    model = Fixed()
    x = mg.randn(2, 1, 8, 8)
    small = compress.prune_channels(model, x, 0.5)
    assert (small.conv1.out_channels, small.conv2.out_channels) == (3, 8)
    assert small.fc1.out_features == 5
    assert "model's code" in small.channel_plan.refused["conv2"]
    with pytest.raises(ValueError, match=r"conv2: .*model's code"):
        compress.prune_channels(model, x, 0.5, layers="conv2")
    with pytest.raises(ValueError, match="fc2: .*output of the model"):
        compress.prune_channels(model, x, 0.5, layers="fc2")
    with pytest.raises(ValueError, match="no layer with channels"):
        compress.prune_channels(model, x, 0.5, layers="conv9")
    with pytest.raises(ValueError, match="no channels of this model"):
        compress.prune_channels(nn.Linear(4, 4), mg.randn(2, 4))


class Odd(nn.Module):
    def __init__(self, middle: Any) -> None:
        super().__init__()
        self.a, self.b, self.middle = nn.Linear(4, 6), nn.Linear(6, 4), middle

    def forward(self, x: Any) -> Any:
        return self.b(self.middle(self.a(x)))


class Last(nn.Module):
    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        return self.inner(x)[0]


@pytest.mark.parametrize(
    "middle, reason",
    [
        (lambda x: mg.cumsum(x, -1), "along the channels by cumsum"),
        (lambda x: mg.softmax(x, -1), "along the channels by softmax"),
        (lambda x: x * x.sum(-1, keepdim=True), "reduced along the channels by sum"),
        (lambda x: x + mg.arange(6), "belong to no traced channel"),
        (lambda x: x @ x.T @ x, "goes through operator_matmul"),
        (lambda x: x + 0 * mg.where(x > 0)[0].sum(), "goes through where"),
        (nn.LayerNorm(6), "normalised along the channels"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)), "weight that is computed"),
        (Last(nn.LSTMCell(6, 6)), "goes into LSTMCell"),
        (lambda x: nn.MultiheadAttention(6, 2)(x, x, x)[0], "goes through"),
    ],
)
def test_what_cannot_be_traced_stays(middle: Any, reason: str) -> None:
    graph = compress.trace_channels(Odd(middle), mg.randn(5, 4))
    with pytest.raises(ValueError, match=f"a: .*{reason}"):
        graph.group_of("a")


def test_transformer_layers_lose_hidden_neurons() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True).double().eval()
    x = mg.randn(2, 5, 8, dtype=mg.float64)
    plan = compress.plan_channels(model, x, 0.5)
    small = plan.apply(copy.deepcopy(model))
    assert small.linear1.out_features == small.linear2.in_features == 16
    same(plan.mask(model)(x), small(x))


@pytest.mark.parametrize("heads", ["packed", "separate"])
def test_heads_of_attention_go(heads: str) -> None:
    options = {} if heads == "packed" else {"kdim": 5, "vdim": 7}
    inner = nn.MultiheadAttention(12, 4, add_bias_kv=True, batch_first=True, **options)

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = unsettle(inner), nn.Linear(12, 3)

        def forward(self, x: Any, y: Any, z: Any) -> Any:
            return self.head(self.attention(x, y, z, need_weights=False)[0])

    sizes = (12, 12, 12) if heads == "packed" else (12, 5, 7)
    x = tuple(mg.randn(2, 5, n, dtype=mg.float64) for n in sizes)
    model = Attending().double().eval()
    plan = compress.plan_channels(model, x, 0.5, layers="attention")
    small = plan.apply(copy.deepcopy(model))
    assert small.attention.num_heads == 2 and small.attention.head_dim == 3
    assert small.attention.out_proj.in_features == 6
    assert compress.count_flops(small, x) < 0.6 * compress.count_flops(model, x)
    same(plan.mask(model)(*x), small(*x))
    small(*x).sum().backward()
    again = plan.apply(Attending().double().eval())
    again.load_state_dict(small.state_dict())
    same(again(*x), small(*x))


class Sequences(nn.Module):
    """An embedding, a recurrent layer, and what reads its outputs and states."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.embed, self.layer = nn.Embedding(9, layer.input_size), layer
        directions = 2 if layer.bidirectional else 1
        self.out = nn.Linear(directions * (layer.proj_size or layer.hidden_size), 3)
        self.state = nn.Linear(layer.hidden_size, 2)

    def forward(self, x: Any) -> Any:
        y, last = self.layer(self.embed(x))
        state = last[1] if isinstance(last, tuple) else last
        return self.out(y), self.state(state[-1])


@pytest.mark.parametrize(
    "layer",
    [
        nn.RNN(6, 8),
        nn.RNN(6, 8, nonlinearity="relu", bias=False),
        nn.GRU(6, 8, num_layers=2, bidirectional=True, batch_first=True),
        nn.LSTM(6, 8, num_layers=2),
        nn.LSTM(6, 8, num_layers=2, bidirectional=True, proj_size=4),
    ],
)
def test_hidden_units_of_recurrent_layers_go(layer: Any) -> None:
    model = Sequences(layer).double().eval()
    x = mg.randint(0, 9, (5, 3))
    plan = compress.plan_channels(model, x, 0.5)
    small = plan.apply(copy.deepcopy(model))
    assert small.layer.hidden_size == 4 and small.layer.input_size == 3
    assert small.layer.proj_size == layer.proj_size // 2
    for wanted, found in zip(plan.mask(model)(x), small(x), strict=True):
        same(wanted, found)
    small.train()(x)[0].sum().backward()


def test_a_packed_sequence_is_followed_and_a_given_state_keeps_its_units() -> None:
    class Packed(nn.Module):
        def __init__(self, state: bool) -> None:
            super().__init__()
            self.lstm, self.out, self.given = nn.LSTM(4, 6), nn.Linear(6, 2), state

        def forward(self, x: Any) -> Any:
            state = (mg.zeros(1, 3, 6), mg.zeros(1, 3, 6)) if self.given else None
            packed = nn.utils.rnn.pack_padded_sequence(x, mg.tensor([5, 3, 2]))
            return self.out(self.lstm(packed, state)[0].data)

    x = mg.randn(5, 3, 4)
    assert compress.prune_channels(Packed(False), x, 0.5).lstm.hidden_size == 3
    with pytest.raises(ValueError, match="lstm: .*initial state that is given"):
        compress.plan_channels(Packed(True), x, 0.5, layers="lstm")


def test_tied_layers_are_followed() -> None:
    layer = nn.Linear(6, 6)
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), layer, nn.ReLU(), layer, nn.Linear(6, 2))
    x = mg.randn(2, 3)
    plan = compress.plan_channels(model.double(), x.double(), 0.5)
    small = plan.apply(copy.deepcopy(model))
    assert small[2] is small[4] and small[2].weight.shape == (3, 3)
    same(plan.mask(model)(x.double()), small(x.double()))


def test_a_plan_rebuilds_a_pruned_model() -> None:
    model, x = make("residual")
    small = compress.prune_channels(model, x, 0.5)
    file = io.BytesIO()
    mg.save({"plan": small.channel_plan.state_dict(), "weights": small.state_dict()}, file)
    file.seek(0)
    read = mg.load(file)
    fresh = compress.ChannelPlan.from_state_dict(read["plan"]).apply(Residual().double().eval())
    fresh.load_state_dict(read["weights"])
    same(small(x), fresh(x), 0)
    with pytest.raises(ValueError, match="does not fit the plan"):
        small.channel_plan.apply(mlp(3, 4, 2))


def test_in_place_and_modes_are_kept() -> None:
    model, x = make("residual")
    model.train()
    model.norm.eval()
    statistics = model.norm.running_mean.clone()
    small = compress.prune_channels(model, x, 0.5, inplace=True)
    assert small is model and model.training and not model.norm.training
    kept = sorted(set(range(12)) - set(small.channel_plan.removed["norm.running_mean"][0]))
    assert model.norm.running_mean.tolist() == statistics[kept].tolist()


def test_shrink_removes_what_masks_have_silenced() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10, bias=False),
        nn.Tanh(), nn.Linear(10, 2),
    )  # fmt: skip
    prune.ln_structured(model[0], "weight", 3, n=2, dim=0)
    prune.ln_structured(model[3], "weight", 0.5, n=1, dim=0)
    x = mg.randn(2, 1, 6, 6)
    small = compress.shrink(model, x)
    assert (small[0].out_channels, small[3].in_features, small[3].out_features) == (5, 80, 5)
    same(model(x), small(x), 1e-5)
    assert prune.is_pruned(model) and not prune.is_pruned(small)
    compress.shrink(model, x, inplace=True)
    assert model[3].weight.shape == (5, 80)
    dead = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Sigmoid(), nn.Linear(4, 2))
    prune.ln_structured(dead[0], "weight", 2, n=2, dim=0)
    with pytest.raises(ValueError, match="something else"):  # sigmoid(0) is not 0
        compress.shrink(dead, mg.randn(2, 3))
