"""Counted operations, bytes and memory of models, and the table of them."""

from __future__ import annotations

from typing import Any

import pytest

import minigrad as mg
from minigrad import compress, nn
from minigrad.vision.models.resnet import BasicBlock, ResNet


class Attend(nn.Module):
    def forward(self, q: Any, k: Any) -> Any:
        return nn.functional.scaled_dot_product_attention(q, k, k)


class Dot(nn.Module):
    def forward(self, a: Any, b: Any) -> Any:
        return mg.tensordot(a, b, dims=([1, 2], [1, 0]))


def test_flops_by_hand() -> None:
    x = mg.randn(2, 3, 8, 8)
    assert compress.count_flops(nn.Linear(6, 4), mg.randn(5, 6)) == 2 * 5 * 6 * 4
    assert compress.count_flops(nn.Conv2d(3, 4, 3), x) == 2 * 2 * 4 * 6 * 6 * 27
    assert compress.count_flops(nn.ConvTranspose2d(3, 4, 2), x) == 2 * x.numel() * 4 * 4
    assert compress.count_flops(nn.LSTM(3, 5), mg.randn(7, 2, 3)) == 2 * 14 * 20 * (3 + 5)
    assert compress.count_flops(nn.GRUCell(3, 5), mg.randn(2, 3)) == 2 * 2 * 15 * (3 + 5)
    assert compress.count_flops(Dot(), (mg.ones(2, 3, 4), mg.ones(4, 3, 5))) == 2 * 2 * 12 * 5
    q, k = mg.randn(1, 2, 3, 4), mg.randn(1, 2, 5, 4)
    assert compress.count_flops(Attend(), (q, k)) == 2 * 2 * 3 * 5 * 8


def both_models() -> list[tuple[str, Any, Any, tuple[int, ...]]]:
    torch = pytest.importorskip("torch")

    def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)

    return [
        ("Linear", *pair("Linear", 6, 4), (5, 6)),
        ("Conv1d", *pair("Conv1d", 6, 4, 3, stride=2), (2, 6, 9)),
        ("grouped", *pair("Conv2d", 6, 4, 3, groups=2, padding=1), (2, 6, 9, 8)),
        ("Conv3d", *pair("Conv3d", 2, 4, 2), (2, 2, 4, 5, 6)),
        ("transposed", *pair("ConvTranspose2d", 6, 4, 3, stride=2, groups=2), (2, 6, 5, 4)),
        ("layer", *pair("TransformerEncoderLayer", 8, 2, 16, batch_first=True), (3, 5, 8)),
    ]


def test_flops_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    for name, ours, theirs, shape in both_models():
        with FlopCounterMode(display=False) as counter:
            theirs(torch.randn(*shape))
        assert compress.count_flops(ours, mg.randn(*shape)) == counter.get_total_flops(), name


def test_peak_memory() -> None:
    x = mg.randn(10, 100)  # 4000 bytes; results of 2000 and 8000 bytes
    model = nn.Sequential(nn.Linear(100, 50), nn.Linear(50, 200), nn.Flatten())
    assert compress.peak_memory(model, x) == 4000 + 2000 + 8000
    assert compress.peak_memory(nn.Linear(100, 50), x) == 6000
    assert compress.peak_memory(nn.Linear(100, 50), mg.randn(90, 100)[20:30]) == 6000


def test_report() -> None:
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
    model.train()
    x = mg.randn(4, 8)
    seen = []

    def evaluate(m: Any) -> Any:
        seen.append((m, m.training, mg.is_grad_enabled()))
        return mg.tensor(0.75)

    before = compress.report(model, x, name="before", evaluate=evaluate)
    small = compress.prune_channels(model, x, 0.5)
    both = compress.report(small, x, baseline=before, name="after", repeats=3)
    assert seen == [(model, False, False)] and model.training
    old, new = both["before"], both["after"]
    assert (old.parameters, new.parameters) == (8 * 32 + 32 + 64 + 66, 8 * 16 + 16 + 32 + 34)
    assert (old.flops, new.flops) == (2 * 4 * 32 * 10, 2 * 4 * 16 * 10)
    assert old.bytes == 4 * (old.parameters + 64) + 8 and new.bytes < old.bytes
    assert old.latency > 0 and new.peak_memory < old.peak_memory
    assert (old.accuracy, new.accuracy) == (0.75, None)
    text = str(both).splitlines()
    assert text[0].split()[0] == "model" and "(0.50x)" in text[3] and "0.7500" in text[2]
    assert both.to_dicts()[1]["name"] == "after" and len(both) == 2
    assert str(compress.report({"a": model, "b": small}, x, repeats=1)).count("\n") == 3
    with pytest.raises(ValueError, match="repeats=0"):
        compress.report(model, x, repeats=0)
    with pytest.raises(KeyError, match="gone"):
        both["gone"]


def test_nonzero_and_shared_parameters_count_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    nn.init.eye_(model[0].weight)
    row = compress.report(model, mg.randn(1, 4), repeats=1)[0]
    assert (row.parameters, row.nonzero, row.bytes) == (16, 4, 64)


def test_a_pruned_network_costs_less() -> None:
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=4).eval()
    x = mg.randn(1, 3, 32, 32)
    small = compress.prune_channels(model, x, 0.5)
    rows = compress.report({"a": model, "b": small}, x, repeats=1)
    assert rows["b"].parameters < 0.26 * rows["a"].parameters
    assert rows["b"].flops < 0.3 * rows["a"].flops
    assert rows["b"].peak_memory < 0.6 * rows["a"].peak_memory
