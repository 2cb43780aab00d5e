"""LoRA adapters: they start as nothing, act as W + s B A, merge and come off again."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, transfer
from minigrad.nn import functional as F

X = mg.float64
LAYERS: dict[str, tuple[Any, tuple]] = {
    "linear": (lambda: nn.Linear(6, 5), (3, 6)),
    "linear without bias": (lambda: nn.Linear(6, 5, bias=False), (2, 3, 6)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), (2, 4, 7)),
    "conv2d": (lambda: nn.Conv2d(4, 6, (3, 2), stride=2, dilation=2), (2, 4, 9, 8)),
    "conv2d circular": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"),
                        (2, 4, 5, 5)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 3, 4, 3)),
}  # fmt: skip


class Attend(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, **options)
        self.sizes = (8, options.get("kdim", 8), options.get("vdim", 8))

    def forward(self, x: Any) -> Any:
        return self.inner(*(x[..., :n] for n in self.sizes))[0]


LAYERS["attention"] = (Attend, (3, 2, 8))
LAYERS["attention, other sizes"] = (lambda: Attend(kdim=6, vdim=4, bias=False), (3, 2, 8))


def make(name: str) -> tuple[Any, Any]:
    mg.manual_seed(1)
    build, shape = LAYERS[name]
    return nn.Sequential(build(), nn.Tanh()).double(), mg.randn(*shape, dtype=X)


def train_adapters(model: Any) -> None:
    with mg.no_grad():
        for name, p in model.named_parameters():
            if "lora_" in name:
                p.normal_()


def same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize("name", LAYERS)
def test_adapters_start_merge_and_come_off(name: str) -> None:
    model, x = make(name)
    plain, before = copy.deepcopy(model), model(x)
    names = set(model.state_dict())
    assert transfer.add_lora(model, 2, 6)
    assert np.array_equal(model(x).numpy(force=True), before.numpy(force=True))
    train_adapters(model)
    wanted = model(x)
    assert not np.allclose(wanted.numpy(force=True), before.numpy(force=True))
    transfer.merge_lora(model)
    same(model(x), wanted)
    transfer.merge_lora(model)  # once is enough
    same(model(x), wanted)
    transfer.unmerge_lora(model)
    for key, value in plain.state_dict().items():
        assert np.array_equal(model.state_dict()[key].numpy(), value.numpy()), key
    same(model(x), wanted)
    merged = transfer.remove_lora(copy.deepcopy(model))
    same(merged(x), wanted)
    assert set(merged.state_dict()) == names and type(merged[0]) is type(plain[0])
    assert [type(m) for m in merged.modules()] == [type(m) for m in plain.modules()]
    off = transfer.remove_lora(model, merge=False)
    assert np.array_equal(off(x).numpy(force=True), before.numpy(force=True))
    assert all(p.requires_grad for p in off.parameters())


@pytest.mark.parametrize("name", LAYERS)
def test_only_adapters_learn(name: str) -> None:
    model, x = make(name)
    transfer.add_lora(model, 2)
    train_adapters(model)
    model(x).square().sum().backward()
    for key, p in model.named_parameters():
        assert p.requires_grad == (p.grad is not None) == ("lora_" in key)
        assert p.grad is None or p.grad.abs().sum() > 0


def test_formula_and_gradients() -> None:
    layer = nn.Linear(6, 5).double()
    model = nn.Sequential(layer)
    transfer.add_lora(model, 3, 12)
    train_adapters(model)
    x = mg.randn(4, 6, dtype=X)
    a, b = layer.lora_A, layer.lora_B
    assert a.shape == (3, 6) and b.shape == (5, 3)
    wanted = F.linear(x, layer.weight + 4 * b @ a, layer.bias)
    same(model(x), wanted)
    model(x).sin().sum().backward()
    ga, gb = mg.autograd.grad(wanted.sin().sum(), [a, b])
    same(a.grad, ga)
    same(b.grad, gb)
    model = nn.Sequential(nn.Linear(4, 4))
    transfer.add_lora(model, 4, 8, use_rslora=True)
    assert model[0].lora_scaling == 4.0


def test_attention_adapts_each_projection() -> None:
    model, x = make("attention")
    transfer.add_lora(model, 2)
    train_adapters(model)
    inner = model[0].inner
    change = [b @ a for a, b in zip(inner.lora_A.split(2), inner.lora_B.split(8))]
    twin = nn.MultiheadAttention(8, 2).double()
    with mg.no_grad():
        twin.in_proj_weight.copy_(inner._parameters["in_proj_weight"] + mg.cat(change))
        twin.in_proj_bias.copy_(inner.in_proj_bias)
        out = inner.out_proj
        twin.out_proj.weight.copy_(out._parameters["weight"] + out.lora_B @ out.lora_A)
        twin.out_proj.bias.copy_(out.bias)
    same(model(x), twin(x, x, x)[0].tanh())


def test_embedding() -> None:
    model = nn.Sequential(nn.Embedding(10, 4, padding_idx=0), nn.Linear(4, 2)).double()
    x = mg.tensor([[1, 2, 0], [9, 1, 1]])
    before = model(x)
    assert transfer.add_lora(model, 2, target_modules="0") == ["0"]
    same(model(x), before)
    model(x).sum().backward()
    assert model[0].lora_A.grad[:, 0].abs().sum() == 0  # the padding row does not learn
    assert model[0].lora_A.grad[:, 1].abs().sum() > 0
    train_adapters(model)
    wanted = model(x)
    same(transfer.merge_lora(model)(x), wanted)
    same(transfer.remove_lora(model)(x), wanted)


def test_transformers_train_and_keep_their_names() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    state = model.state_dict()
    x, y = mg.randn(4, 3, 8), mg.randn(4, 3, 8)
    names = transfer.add_lora(model, 2, target_modules=["linear1", "self_attn"])
    assert "layers.1.self_attn" in names and "layers.0.linear1" in names
    model.load_state_dict(state, strict=False)
    optimizer = mg.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(15):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    for key, value in state.items():
        assert np.array_equal(model.state_dict()[key].numpy(), value.numpy())


def test_dropout_of_adapters() -> None:
    model = nn.Sequential(nn.Linear(50, 5))
    transfer.add_lora(model, 2, lora_dropout=0.5)
    train_adapters(model)
    x = mg.ones(1, 50)
    assert not np.array_equal(model(x).numpy(force=True), model(x).numpy(force=True))
    model.eval()
    wanted = model(x)
    np.testing.assert_allclose(
        wanted.numpy(force=True), transfer.merge_lora(model)(x).numpy(force=True), 1e-4, 1e-4
    )


def test_states_do_not_depend_on_merging() -> None:
    model, x = make("linear")
    transfer.add_lora(model, 2)
    train_adapters(model)
    wanted = model(x)
    state = {k: v.clone() for k, v in transfer.merge_lora(model).state_dict().items()}
    other, _ = make("linear")
    transfer.add_lora(other, 2)
    transfer.merge_lora(other)
    other.load_state_dict(state)
    same(other(x), wanted)
    again = pickle.loads(pickle.dumps(other))
    same(again(x), wanted)


def test_adapters_are_saved_alone() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    base = copy.deepcopy(model)
    transfer.add_lora(model, 2, target_modules=["0"], modules_to_save="2", bias="lora_only")
    assert [n for n, p in model.named_parameters() if p.requires_grad] == [
        "0.bias", "0.lora_A", "0.lora_B", "2.weight", "2.bias",
    ]  # fmt: skip
    train_adapters(model)
    file = io.BytesIO()
    mg.save(transfer.lora_state_dict(model), file)
    file.seek(0)
    saved = mg.load(file)
    assert list(saved) == ["0.bias", "0.lora_A", "0.lora_B", "2.weight", "2.bias"]
    transfer.add_lora(base, 2, target_modules=["0"], modules_to_save=["2"])
    transfer.load_lora_state_dict(base, saved)
    x = mg.randn(2, 6)
    assert np.array_equal(base(x).numpy(force=True), model(x).numpy(force=True))
    transfer.merge_lora(base)
    with pytest.raises(RuntimeError, match="unmerge_lora"):
        transfer.load_lora_state_dict(base, saved)
    transfer.unmerge_lora(base)
    del saved["0.lora_A"]
    with pytest.raises(RuntimeError, match=r"missing \['0.lora_A'\]"):
        transfer.load_lora_state_dict(base, saved)


def test_wrong_requests() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    with pytest.raises(ValueError, match="r=0"):
        transfer.add_lora(model, 0)
    with pytest.raises(ValueError, match="1 is a LayerNorm"):
        transfer.add_lora(model, 2, target_modules="1")
    with pytest.raises(ValueError, match="'gone' fits no parameter"):
        transfer.add_lora(model, 2, target_modules="gone")
    with pytest.raises(ValueError, match="bias='some'"):
        transfer.mark_only_lora_as_trainable(model, "some")
    with pytest.raises(ValueError, match="no LoRA adapters"):
        transfer.merge_lora(model)
    with pytest.raises(ValueError, match="no layer"):
        transfer.add_lora(nn.LayerNorm(4), 2)
    transfer.add_lora(model, 2)
    with pytest.raises(ValueError, match="has adapters"):
        transfer.add_lora(model, 2)
    tied = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match="also another layer's"):
        transfer.add_lora(tied, 2)
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4))
    assert transfer.add_lora(normed, 2) == ["1"]
