"""Operations and bytes of calls: PyTorch's counts where it has them, closed forms elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

import minigrad as mg
from minigrad.profiler import Peak, costs, measure_peak, profile


def program(t: Any) -> None:
    """Products, a convolution, elementwise arithmetic, backward."""
    conv = t.nn.Conv2d(4, 8, 3, padding=1, groups=2)
    linear = t.nn.Linear(8 * 16 * 16, 5)
    images = t.randn(2, 4, 16, 16, requires_grad=True)
    a, b = t.randn(6, 64, 32), t.randn(6, 32, 48)
    out = linear(conv(images).flatten(1))
    (out.sum() + (t.bmm(a, b) * 2.0).sum() + t.mm(a[0], b[0]).sum()).backward()


def counts(prof: Any) -> dict[str, tuple[int, int]]:
    return {event.key: (event.flops, event.bytes) for event in prof.key_averages()}


def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    with profile(with_flops=True) as ours:
        program(mg)
    with torch.profiler.profile(with_flops=True) as prof:
        program(torch)
    theirs = {event.key: event.flops for event in prof.key_averages()}
    found = counts(ours)
    for name, other in (("conv2d", "conv2d"), ("linear", "addmm"), ("bmm", "bmm"), ("mul", "mul")):
        assert found[name][0] == theirs[f"aten::{other}"] > 0, name
    # PyTorch counts the gradients of the linear layer with the other products of matrices.
    assert found["LinearBackward0"][0] + found["mm"][0] == theirs["aten::mm"]


def test_closed_forms() -> None:
    x, w = mg.randn(10, 20), mg.randn(20, 30, requires_grad=True)
    q = mg.randn(2, 3, 7, 4, requires_grad=True)
    c = mg.randn(1, 2, 9, requires_grad=True)
    k = mg.randn(2, 5, 3, requires_grad=True)
    with profile(with_flops=True) as prof:
        y = x @ w
        y.reshape(30, 10)
        y.exp()
        loss = y.sum() + mg.nn.functional.scaled_dot_product_attention(q, q, q).sum()
        (loss + mg.nn.functional.conv_transpose1d(c, k).sum()).backward()
    found = counts(prof)
    product = 2 * 10 * 20 * 30
    assert found["matmul"] == (product, 4 * (200 + 600 + 300))
    assert found["MatMulBackward0"][0] == product  # x needs none
    assert found["reshape"] == (0, 0)  # views move nothing
    assert found["exp"] == (0, 4 * 600)
    attention = 2 * 6 * 7 * 7 * 4
    assert found["scaled_dot_product_attention"][0] == 2 * attention
    assert found["ScaledDotProductAttentionBackward0"][0] == 5 * attention
    transposed = 2 * 2 * 9 * 5 * 3
    assert found["conv_transpose1d"][0] == transposed
    assert found["ConvolutionInputBackward0"][0] == 2 * transposed
    both = prof.total_average()
    assert both.flops == sum(f for f, _ in found.values())


def test_recurrent_layers() -> None:
    layer, x = mg.nn.LSTM(3, 8, num_layers=2, bidirectional=True, proj_size=4), mg.randn(7, 2, 3)
    with profile(with_flops=True) as prof:
        layer(x)[0].sum().backward()
        mg.nn.GRUCell(3, 5)(mg.randn(4, 3))
    found = counts(prof)
    own = 2 * (32 * 4 + 4 * 8)  # both directions
    first, second = 2 * 32 * 3, 2 * 32 * 8
    rows = 2 * 7 * 2
    assert found["lstm"][0] == rows * (first + second + 2 * own)
    # Weights and states want gradients, and the second layer's inputs; the data does not.
    assert found["RecurrentBackward0"][0] == rows * (first + 2 * second + 4 * own)
    assert found["gru"][0] == 2 * 4 * (15 * 3 + 15 * 5)
    weights = sum(p.numel() for p in layer.parameters())
    assert found["lstm"][1] >= 4 * weights


def test_nothing_is_counted_twice() -> None:
    x = mg.randn(8, 8)
    with profile(with_flops=True) as prof:
        mg.nn.functional.linear(x, x[0])  # a product of matrices inside
    assert sum(event.flops for event in prof.events()) == 2 * 64
    with profile() as plain:
        x @ x
    assert counts(plain)["matmul"] == (0, 0)


def test_bytes_of_repeated_elements() -> None:
    x = mg.randn(5, 1).expand(5, 1000)
    assert costs.bytes_of(x._array) == 20
    assert costs.bytes_of(mg.zeros(0, 3)._array) == 0


def test_table_and_trace(tmp_path: Any) -> None:
    x = mg.randn(64, 64)
    with profile(with_flops=True) as prof:
        x @ x
    table = prof.key_averages().table(peak=Peak(1e30, 1e30))
    assert "Total MFLOPs" in table and "0.524" in table and "% of Peak" in table and "0.0%" in table
    assert "Peak" not in prof.key_averages().table()
    prof.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    # An array that is given twice is read once.
    assert events[0]["args"] == {"FLOPs": 2 * 64**3, "Bytes": 2 * 4 * 64**2}
    assert Peak(100.0, 10.0).share(50, 1, 1.0) == 0.5
    assert Peak(100.0, 10.0).share(50, 8, 2.0) == pytest.approx(0.4)


def test_the_peak_is_measured_once() -> None:
    peak = measure_peak()
    assert peak is measure_peak() and peak.flops > 1e6 and peak.bytes > 1e6
    assert measure_peak(again=True) is not peak
