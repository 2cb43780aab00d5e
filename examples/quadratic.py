"""Minimises theta^2 with four optimisers and draws the paths they take.

    python examples/quadratic.py

Gradient descent knows the gradient 2 theta; the stochastic ones see it with noise. Momentum is the
exponential average v = beta v + (1 - beta) g, which is SGD's `dampening=beta`.
Needs `pip install ".[examples]"` for the plot.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import minigrad as mg

START = 4.0
NOISE = 1.5  # standard deviation of what the stochastic gradients add


def minimise(optimizer_class: type, noise: float, steps: int, **options: float) -> list[float]:
    """The values of theta, the starting point included."""
    mg.manual_seed(0)
    theta = mg.tensor([START], requires_grad=True)
    optimizer = optimizer_class([theta], **options)
    path = [theta.item()]
    for _ in range(steps):
        optimizer.zero_grad()
        # A loss of theta (theta + noise) has the gradient 2 theta + noise.
        loss = (theta * (theta + noise * mg.randn(1))).sum()
        loss.backward()
        optimizer.step()
        path.append(theta.item())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="theta^2, minimised in four ways.")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args()
    sgd, adam = mg.optim.SGD, mg.optim.Adam
    paths = {
        "gradient descent": minimise(sgd, 0.0, options.steps, lr=0.1),
        "SGD": minimise(sgd, NOISE, options.steps, lr=0.1),
        "momentum 0.9": minimise(sgd, NOISE, options.steps, lr=0.1, momentum=0.9, dampening=0.9),
        "Adam": minimise(adam, NOISE, options.steps, lr=0.3),
    }
    print("optimiser         first steps                      last theta     loss")
    for name, path in paths.items():
        first = "  ".join(f"{value:6.3f}" for value in path[:4])
        print(f"{name:16s}  {first}  {path[-1]:14.5f}  {path[-1] ** 2:9.2e}")

    options.out.mkdir(parents=True, exist_ok=True)
    figure, (curve, time) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    grid = [START * (i / 50 - 1) * 1.1 for i in range(101)]
    curve.plot(grid, [value**2 for value in grid], color="0.7")
    for name, path in paths.items():
        curve.plot(
            path, [value**2 for value in path], ".-", markersize=4, linewidth=0.8, label=name
        )
        time.plot(path, label=name)
    curve.set(xlabel="θ", ylabel="θ²", title="on the curve")
    time.set(xlabel="step", ylabel="θ", title="over time")
    for axis in (curve, time):
        axis.grid(alpha=0.3)
        axis.legend()
    target = options.out / "quadratic.png"
    figure.savefig(target, dpi=110)
    print(f"paths: {target}")


if __name__ == "__main__":
    main()
