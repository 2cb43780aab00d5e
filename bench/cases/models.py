"""Whole training steps with Adam: zero_grad, forward, cross-entropy, backward, step."""

from __future__ import annotations

import numpy as np

from cases import Case, networks, tensor


def integers(t, high, *shape):
    return t.from_numpy(np.random.default_rng(3).integers(0, high, shape))


def train(t, model, x, y):
    """A training step; its answer is the loss before it."""
    # PyTorch's fastest optimizer is the fused one
    fused = {"fused": True} if t.__name__ == "torch" else {}
    optimizer = t.optim.Adam(model.parameters(), lr=1e-4, **fused)

    def run():
        optimizer.zero_grad()
        logits = model(x)
        loss = t.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run


def vectors(name, widths, batch, size, flops=0.0):
    def of(t):
        t.manual_seed(0)
        model = networks.mlp(t, *widths)
        return train(t, model, tensor(t, batch, widths[0]), integers(t, widths[-1], batch))

    weights = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    return Case(
        name,
        of,
        size=size,
        flops=6.0 * batch * weights - 2.0 * batch * widths[0] * widths[1],
        tolerance=1e-3,
        alone=True,
        x=batch,
    )


def images(name, make, batch, size):
    def of(t):
        t.manual_seed(0)
        return train(t, make(t), tensor(t, batch, 3, 32, 32), integers(t, 10, batch))

    return Case(name, of, size=size, tolerance=1e-3, alone=True)


def text(name, make, batch, length, vocabulary, size):
    def of(t):
        t.manual_seed(0)
        model = make(t)
        return train(
            t, model, integers(t, vocabulary, batch, length), integers(t, vocabulary, batch, length)
        )

    return Case(name, of, size=size, tolerance=1e-3, alone=True)


CASES = [
    vectors("MLP 8-16-4 batch 16", (8, 16, 4), 16, "small"),
    vectors("MLP 784-256-128-10 batch 64", (784, 256, 128, 10), 64, "medium"),
    vectors("MLP 784-256-128-10 batch 1024", (784, 256, 128, 10), 1024, "medium"),
    images("CNN batch 64", networks.cnn, 64, "medium"),
    images("ResNet-18 batch 32", networks.resnet18, 32, "large"),
    text(
        "GPT 4x128 T64 batch 12", lambda t: networks.gpt(t, 4, 128, 4, 64, 65), 12, 64, 65, "medium"
    ),
    text(
        "GPT 6x384 T256 batch 12",
        lambda t: networks.gpt(t, 6, 384, 6, 256, 65),
        12,
        256,
        65,
        "large",
    ),
    text("LSTM 128 T64 batch 32", lambda t: networks.lstm(t, 128, 65), 32, 64, 65, "medium"),
]
