"""A generative adversarial network (Goodfellow et al. 2014) that learns a ring of eight spots.

python examples/gan.py              with PyTorch
python -m minigrad examples/gan.py  with minigrad: the same numbers
"""

import argparse
import math

import torch
import torch.nn as nn
from report import Report


def real(n):
    """n points around eight spots on a circle."""
    angle = torch.randint(0, 8, (n,)) * (2 * math.pi / 8)
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def network(inside, out, hidden=64, norm=False):
    """Two hidden layers."""
    layers = [nn.Linear(inside, hidden), nn.LeakyReLU(0.2)]
    layers += [nn.Linear(hidden, hidden)]
    layers += [nn.BatchNorm1d(hidden)] if norm else []
    layers += [nn.LeakyReLU(0.2), nn.Linear(hidden, out)]
    return nn.Sequential(*layers)


def weights_init(m):
    """Small normal numbers for the weights."""
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 0.1)
        nn.init.zeros_(m.bias)


def spots(points):
    """How many of the eight spots have a point of the sample within 0.2."""
    angle = torch.arange(8) * (2 * math.pi / 8)
    centres = torch.stack([angle.cos(), angle.sin()], dim=1)
    return int((torch.cdist(centres, points).min(dim=1).values < 0.2).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--latent", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    generator = network(args.latent, 2, norm=True).apply(weights_init)
    discriminator = network(2, 1).apply(weights_init)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=args.lr, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=args.lr, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(args.batch_size, 1), torch.zeros(args.batch_size, 1)
    fixed = torch.randn(500, args.latent)

    report = Report("gan", args.out)
    every = max(args.steps // 10, 1)
    for step in range(1, args.steps + 1):
        fake = generator(torch.randn(args.batch_size, args.latent))

        optimizer_d.zero_grad()
        loss_real = criterion(discriminator(real(args.batch_size)), ones)
        loss_fake = criterion(discriminator(fake.detach()), zeros)
        loss_d = loss_real + loss_fake
        loss_d.backward()
        optimizer_d.step()

        optimizer_g.zero_grad()
        loss_g = criterion(discriminator(fake), ones)
        loss_g.backward()
        optimizer_g.step()

        if step % every == 0 or step == 1:
            generator.eval()
            with torch.no_grad():
                made = generator(fixed)
            generator.train()
            report.add(step=step, critic=loss_d.item(), maker=loss_g.item(), spots=spots(made))

    def picture(axis):
        points = real(500)
        axis.scatter(*points.T.numpy(), s=4, label="real")
        axis.scatter(*made.T.numpy(), s=4, label="made")
        axis.legend()

    report.save("gan", picture)


if __name__ == "__main__":
    main()
