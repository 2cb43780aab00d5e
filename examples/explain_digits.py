"""Why a network reads a digit as it does: saliency, integrated gradients and Grad-CAM, in pictures.

python examples/explain_digits.py              with PyTorch
python -m minigrad examples/explain_digits.py  with minigrad: the same numbers

Saliency is the size of the score's gradient (Simonyan et al., 2014). Integrated gradients add it up
on the way from a blank image (Sundararajan et al., 2017); they sum to what the score has gained.
Grad-CAM weighs the last maps of features by their gradients (Selvaraju et al., 2017). In the table
`gained` is the score less a blank image's, `integral` the sum of the integrated gradients, and
`removed` the share of what was gained that stays without the tenth of the pixels that they hold for
the most important.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    """Two convolutions, whose features Grad-CAM looks at, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.features(x)), 1))


def train(model, loader, epochs, steps):
    """Trains; the last loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for step, (images, labels) in enumerate(loader, 1):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            if step == steps:
                break
    return loss.item()


def score_gradient(model, images, classes):
    """The scores (N,) of each image's class, and their gradients (N, 1, H, W)."""
    images = images.detach().requires_grad_()
    scores = model(images).gather(1, classes[:, None])[:, 0]
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    return scores.detach(), gradient


def saliency(model, images, classes):
    """The size of the gradient."""
    return score_gradient(model, images, classes)[1].abs()


def integrated_gradients(model, images, classes, steps=64):
    """The gradients' mean on the way from a blank image, times the image (midpoint rule)."""
    total = torch.zeros_like(images)
    for step in range(steps):
        total += score_gradient(model, images * ((step + 0.5) / steps), classes)[1]
    return images * total / steps


def grad_cam(model, images, classes):
    """The last features, each weighed by its gradient's mean, as large as the image."""
    kept = {}

    def keep(module, inputs, output):
        output.retain_grad()
        kept["features"] = output

    handle = model.features.register_forward_hook(keep)
    model(images).gather(1, classes[:, None]).sum().backward()
    handle.remove()
    features = kept["features"]
    weights = features.grad.mean((2, 3), keepdim=True)
    maps = F.relu((weights * features.detach()).sum(1, keepdim=True))
    return F.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)


def without_the_most_important(images, explanation, share=0.1):
    """The images, blank where the explanation is largest."""
    flat = explanation.flatten(1)
    limit = flat.topk(int(share * flat.shape[1]), dim=1).values[:, -1]
    return torch.where(explanation >= limit[:, None, None, None], torch.tensor(0.0), images)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--shown", type=int, default=6, help="so many digits are explained")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    training, testing = random_split(TensorDataset(images, labels), [4000, 1000])
    model = Net()
    loader = DataLoader(training, batch_size=64, shuffle=True)
    print(f"trained: loss {train(model, loader, args.epochs, args.steps):.4f}")

    images = torch.stack([testing[i][0] for i in range(args.shown)])
    classes = torch.tensor([testing[i][1].item() for i in range(args.shown)])
    explanations = {
        "saliency": saliency(model, images, classes),
        "integrated": integrated_gradients(model, images, classes),
        "grad_cam": grad_cam(model, images, classes),
    }
    scores, _ = score_gradient(model, images, classes)
    blank, _ = score_gradient(model, torch.zeros_like(images), classes)
    removed = without_the_most_important(images, explanations["integrated"])
    after, _ = score_gradient(model, removed, classes)
    report = Report("explained digits", args.out)
    for i in range(args.shown):
        row = {"shown": i, "digit": classes[i].item(), "score": scores[i].item()}
        row["gained"] = (scores[i] - blank[i]).item()
        row["integral"] = explanations["integrated"][i].sum().item()
        row["removed"] = ((after[i] - blank[i]) / (scores[i] - blank[i]).abs()).item()
        report.add(**row)

    def picture(axis):
        columns = [images, *explanations.values()]
        shown = [c.abs() / c.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) for c in columns]
        rows = torch.cat([c[:, 0] for c in shown], 2).detach()
        axis.imshow(torch.cat(list(rows), 0).numpy(), cmap="magma")
        axis.set(title="image, saliency, integrated gradients, Grad-CAM", xticks=[], yticks=[])

    report.save("explain_digits", picture)


if __name__ == "__main__":
    main()
