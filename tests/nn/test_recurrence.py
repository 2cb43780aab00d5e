"""Recurrent layers and cells as functions of their weights, beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from pair import torch

import minigrad as mg

MODES = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def _run(m, name: str, packed: bool, arrays: dict, biases: bool, options: tuple) -> list:
    def tensor(a):
        return m.tensor(a, requires_grad=True)

    x, h, c = (tensor(arrays[k]) for k in "xhc")
    params = [tensor(a) for a in arrays["weights"]]
    hx = (h, c) if name == "lstm" else h
    if packed:
        sizes = m.tensor([3, 2, 2, 1])
        outs = getattr(m, name)(x, sizes, hx, params, biases, *options)
    else:
        outs = getattr(m, name)(x, hx, params, biases, *options)
    sum((o * o).sum() for o in outs).backward()
    return [*outs, x.grad, h.grad, *[p.grad for p in params]]


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("form", ["padded", "batch_first", "packed", "projected"])
def test_layers(name, biases, bidirectional, form):
    if form == "projected" and name != "lstm":
        pytest.skip("an LSTM alone has projections")
    rng = np.random.default_rng(0)
    directions, hidden, inputs, layers = 1 + bidirectional, 5, 4, 2
    width = 3 if form == "projected" else hidden
    weights = []
    for layer in range(layers):
        for _ in range(directions):
            gates = _GATES[name] * hidden
            weights += [rng.normal(size=(gates, width * directions if layer else inputs))]
            weights += [rng.normal(size=(gates, width))]
            weights += [rng.normal(size=gates) for _ in range(2 * biases)]
            weights += [rng.normal(size=(width, hidden))] * (width != hidden)
    shape = {"packed": (8, inputs), "batch_first": (3, 6, inputs)}.get(form, (6, 3, inputs))
    arrays = {
        "x": rng.normal(size=shape),
        "h": rng.normal(size=(layers * directions, 3, width)),
        "c": rng.normal(size=(layers * directions, 3, hidden)),
        "weights": weights,
    }
    options = (layers, 0.0, True, bidirectional)
    if form != "packed":
        options += (form == "batch_first",)
    results = [_run(m, name, form == "packed", arrays, biases, options) for m in (torch, mg)]
    for expected, got in zip(*results, strict=True):
        np.testing.assert_allclose(
            got.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-11
        )


@pytest.mark.parametrize("name", MODES)
def test_cells(name):
    rng = np.random.default_rng(1)
    gates = _GATES[name] * 5
    x, h, c = rng.normal(size=(3, 4)), rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    weights = [rng.normal(size=s) for s in ((gates, 4), (gates, 5), (gates,), (gates,))]
    for count in (2, 4):
        results = []
        for m in (torch, mg):
            hx = (m.tensor(h), m.tensor(c)) if name == "lstm" else m.tensor(h)
            out = getattr(m, f"{name}_cell")(m.tensor(x), hx, *map(m.tensor, weights[:count]))
            results.append(out if name == "lstm" else (out,))
        for expected, got in zip(*results, strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)


def test_bad_arguments():
    x, h, w = mg.zeros(2, 3), mg.zeros(2, 4), mg.zeros(4, 3)
    with pytest.raises(RuntimeError, match="input_size: got 3 expected 5"):
        mg.rnn_tanh_cell(x, h, mg.zeros(4, 5), mg.zeros(4, 4))
    with pytest.raises(RuntimeError, match="batch size"):
        mg.rnn_tanh_cell(x, mg.zeros(1, 4), w, mg.zeros(4, 4))
    with pytest.raises(RuntimeError, match="two hidden states"):
        mg.lstm_cell(x, (h,), w, mg.zeros(4, 4))
    with pytest.raises(RuntimeError, match="number of RNN parameters"):
        mg.gru(mg.zeros(1, 2, 3), mg.zeros(1, 2, 4), [w], False, 1, 0.0, True, False, False)
