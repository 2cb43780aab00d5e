"""Minimises theta^2 with four optimisers and draws the paths they take.

    python examples/quadratic.py

Gradient descent knows the gradient 2 theta; the stochastic ones see it with noise. Momentum is the
exponential average v = beta v + (1 - beta) g, which is SGD's `dampening=beta`.
Needs `pip install "minigrad[examples]"` for the plot.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import minigrad as mg

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
except ModuleNotFoundError as error:
    raise SystemExit(f'{error.name} is missing; needed: pip install "minigrad[examples]"') from None

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


def plot(paths: dict[str, list[float]], target: Path) -> None:
    """Each path on the curve by itself, then all of them over time: theta and the loss."""
    figure = plt.figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplot_mosaic([[*paths], ["theta"] * 2 + ["loss"] * 2])
    grid = [START * (i / 50 - 1) * 1.1 for i in range(101)]
    for number, (name, path) in enumerate(paths.items()):
        losses = [value**2 for value in path]
        axis, colour = axes[name], f"C{number}"
        axis.plot(grid, [value**2 for value in grid], color="0.85", zorder=0)
        axis.plot(path, losses, color=colour, linewidth=0.6, alpha=0.5)
        dots = axis.scatter(path, losses, c=range(len(path)), s=14, cmap="viridis")
        axis.plot(path[-1], losses[-1], "x", color="red", markersize=9, label="last")
        axis.set(title=name, xlabel="θ", ylim=(-0.8, START**2 * 1.15))
        axis.title.set_color(colour)
        axes["theta"].plot(path, color=colour, label=name)
        axes["loss"].semilogy(losses, color=colour, label=name)
    first = axes[next(iter(paths))]
    first.set_ylabel("θ²")
    first.legend(loc="upper center")
    figure.colorbar(dots, ax=axis, label="step")
    axes["theta"].set(xlabel="step", ylabel="θ")
    axes["loss"].set(xlabel="step", ylabel="θ²", ylim=(1e-6, None))
    for name in ("theta", "loss"):
        axes[name].grid(alpha=0.3)
        axes[name].legend()
    figure.savefig(target, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="theta^2, minimised in four ways.")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error(f"--steps: {options.steps} was given; needed: at least 1")
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
    target = options.out / "quadratic.png"
    plot(paths, target)
    print(f"paths: {target}")


if __name__ == "__main__":
    main()
