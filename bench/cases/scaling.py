"""How a training step's cost grows with batch, width and depth, one axis at a time."""

from __future__ import annotations

from cases import Case, networks, tensor
from cases.models import integers, train


def step(axis: str, x: int, batch: int, width: int, depth: int) -> Case:
    def of(t):
        t.manual_seed(0)
        model = networks.mlp(t, 64, *[width] * depth, 10)
        return train(t, model, tensor(t, batch, 64), integers(t, 10, batch))

    return Case(f"{axis} {x}", of, size="medium", tolerance=1e-3, x=x)


CASES = [
    *(step("batch", n, n, 128, 2) for n in (1, 4, 16, 64, 256, 1024, 4096)),
    *(step("width", n, 64, n, 2) for n in (8, 16, 32, 64, 128, 256, 512, 1024)),
    *(step("depth", n, 64, 64, n) for n in (1, 2, 4, 8, 16, 32, 64)),
]
