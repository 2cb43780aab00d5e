"""Dropout: answers are random, so only the share of zeros and the scale are compared."""

from __future__ import annotations

from cases import Case, tensor


def dropout(n, size, mode):
    def of(t):
        x = tensor(t, n, grad=mode == "fwd+bwd").abs().detach().add_(1.0)
        x.requires_grad_(mode == "fwd+bwd")
        ones = t.ones(n)

        def forward():
            return t.nn.functional.dropout(x, 0.2)

        def both():
            x.grad = None
            forward().backward(ones)
            return x.grad

        return forward if mode == "fwd" else both

    return Case(
        f"dropout {mode} {n:,}",
        of,
        size=size,
        tolerance=float("inf"),
        bytes=(8.0 if mode == "fwd" else 16.0) * n,
    )


CASES = [
    dropout(n, size, mode)
    for n, size in ((1000, "small"), (100_000, "medium"), (10_000_000, "large"))
    for mode in ("fwd", "fwd+bwd")
]
