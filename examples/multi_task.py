"""One network, two tasks, and weights of their losses that it learns itself.

python examples/multi_task.py              with PyTorch
python -m minigrad examples/multi_task.py  with minigrad: the same numbers

Digits are turned by random angles; the network says which digit it is, and by how many degrees it
was turned. The two losses have different units. Kendall, Gal and Cipolla (2018) learn a noise for
each task: with s = log(sigma^2) the loss is exp(-s) L + s / 2 for classes, and half of the first
term for angles. The table has a row for each epoch, first with weights of 1 (learned 0), where the
angles drown the classes, then with learned ones (learned 1).
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits


class TwoHeads(nn.Module):
    """(N, 1, 28, 28) to scores of classes (N, 10) and degrees (N,)."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(16 * 49, 64), nn.ReLU(),
        )  # fmt: skip
        self.classes, self.angle = nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x):
        features = self.trunk(x)
        return self.classes(features), self.angle(features).squeeze(1)


class UncertaintyWeights(nn.Module):
    """The sum of losses, each weighted by a noise that is learned; `kinds`: 1 class, 0.5 value."""

    def __init__(self, kinds):
        super().__init__()
        self.register_buffer("kinds", torch.tensor(kinds))
        self.log_variance = nn.Parameter(torch.zeros(len(kinds)))

    def forward(self, losses):
        s = self.log_variance
        return (self.kinds * torch.exp(-s) * losses + s / 2).sum()


def turned(images, degrees):
    """Each image turned by its own angle."""
    radians = degrees * (math.pi / 180)
    c, s, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    maps = torch.stack([c, -s, zero, s, c, zero], 1).reshape(-1, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def train(model, weights, optimizer, data, steps):
    """One epoch; the mean losses (2,)."""
    images, labels, degrees = data
    total, count = torch.zeros(2), 0
    for part in torch.randperm(len(images)).split(50):
        scores, angle = model(images[part])
        losses = torch.stack(
            [F.cross_entropy(scores, labels[part]), F.mse_loss(angle, degrees[part])]
        )
        loss = losses.sum() if weights is None else weights(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + losses.detach(), count + 1
        if count == steps:
            break
    return total / count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    degrees = torch.rand(len(images)) * 90 - 45
    images = turned(images, degrees)
    data, test = (
        [t[part] for t in (images, labels, degrees)] for part in (slice(4000), slice(4000, None))
    )
    report = Report("classes and angles", args.out)
    row = 0
    for learned in (0, 1):
        torch.manual_seed(args.seed)
        model = TwoHeads()
        weights = UncertaintyWeights([1.0, 0.5]) if learned else None
        groups = [{"params": model.parameters()}]
        if learned:  # a loss in degrees is hundreds of times one in nats: these have far to go
            groups.append({"params": weights.parameters(), "lr": 2e-2})
        optimizer = torch.optim.Adam(groups, lr=2e-3)
        for _ in range(args.epochs):
            row += 1
            train(model, weights, optimizer, data, args.steps)
            with torch.no_grad():
                scores, angle = model(test[0])
            s = weights.log_variance.tolist() if learned else [0.0, 0.0]
            report.add(
                row=row, learned=learned,
                accuracy=(scores.argmax(1) == test[1]).float().mean().item(),
                degrees_off=(angle - test[2]).abs().mean().item(),
                sigma_class=math.exp(s[0] / 2), sigma_angle=math.exp(s[1] / 2),
            )  # fmt: skip

    def picture(axis):
        for learned in (0, 1):
            part = [r for r in report.rows if r["learned"] == learned]
            axis.plot(
                [r["degrees_off"] for r in part], [r["accuracy"] for r in part], marker="o",
                label="learned weights" if learned else "weights of 1",
            )  # fmt: skip
        axis.set(xlabel="degrees off", ylabel="accuracy")
        axis.legend()

    report.save("multi_task", picture)


if __name__ == "__main__":
    main()
