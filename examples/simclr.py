"""SimCLR: an encoder that learns from digits without labels, then a linear layer from 100 labels.

python examples/simclr.py              with PyTorch
python -m minigrad examples/simclr.py  with minigrad: the same numbers

Each image is changed twice, by turns, shifts, stretching and brightness; the encoder learns to find
the other of the two among all images of the batch (Chen, Kornblith, Norouzi and Hinton, 2020). The
table has the loss, how often it finds it, and the accuracy of a linear layer on the features, which
is trained on 100 labelled digits. Row 0 is the encoder with its random weights.
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits


class Encoder(nn.Module):
    """(N, 1, 28, 28) to features (N, 64), and in training to projections (N, 32)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 49, 64),
        )  # fmt: skip
        self.projection = nn.Sequential(nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x):
        return self.projection(self.features(x))


def changed(images):
    """Each image turned, shifted, stretched and made brighter or darker, by its own draws."""
    n = len(images)
    draws = torch.rand(n, 6) * 2 - 1
    angle = draws[:, 0] * (math.pi / 7)
    wide, high = 1 + 0.25 * draws[:, 1], 1 + 0.25 * draws[:, 2]
    c, s = angle.cos(), angle.sin()
    maps = torch.stack(
        [c * wide, -s * high, 0.25 * draws[:, 3], s * wide, c * high, 0.25 * draws[:, 4]], 1
    )
    grid = F.affine_grid(maps.reshape(n, 2, 3), list(images.shape), align_corners=False)
    brightness = 1 + 0.4 * draws[:, 5].reshape(n, 1, 1, 1)
    return F.grid_sample(images, grid, align_corners=False) * brightness


def contrastive_loss(a, b, temperature):
    """NT-Xent of two views (N, d): (loss, share of views whose partner is the nearest)."""
    z = F.normalize(torch.cat([a, b]), dim=1)
    similar = z @ z.t() / temperature
    similar = similar - torch.eye(len(z)) * 1e9  # nobody is its own partner
    n = len(a)
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(similar, partner), (similar.argmax(1) == partner).float().mean()


def probed(encoder, data, few):
    """The accuracy of a linear layer that is trained on the features of `few` labelled images."""
    images, labels = data
    with torch.no_grad():
        features = torch.cat([encoder.features(part) for part in images.split(500)])
        features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    # Ridge regression on one-hot labels: exact, so that the row depends on the features alone.
    x = torch.cat([features[:few], torch.ones(few, 1)], 1).double()
    y = F.one_hot(labels[:few], 10).double()
    weight = torch.linalg.solve(x.t() @ x + 10.0 * torch.eye(x.shape[1]).double(), x.t() @ y)
    rest = torch.cat([features[few:], torch.ones(len(features) - few, 1)], 1).double()
    return ((rest @ weight).argmax(1) == labels[few:]).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--temperature", type=float, default=0.2)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    unlabelled, held_out = images[:4000], (images[4000:], labels[4000:])
    encoder = Encoder()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    report = Report("SimCLR on digits", args.out)
    chance = 1 / (2 * args.batch_size - 1)
    report.add(
        epoch=0, loss=-math.log(chance), found=chance,
        accuracy=probed(encoder, held_out, args.labels),
    )  # fmt: skip
    for epoch in range(1, args.epochs + 1):
        losses, shares = [], []
        for part in torch.randperm(len(unlabelled)).split(args.batch_size)[: args.steps]:
            batch = unlabelled[part]
            loss, found = contrastive_loss(
                encoder(changed(batch)), encoder(changed(batch)), args.temperature
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            shares.append(found.item())
        report.add(
            epoch=epoch, loss=sum(losses) / len(losses), found=sum(shares) / len(shares),
            accuracy=probed(encoder, held_out, args.labels),
        )  # fmt: skip
    report.save("simclr")


if __name__ == "__main__":
    main()
