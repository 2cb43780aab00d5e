"""Differentially private SGD: no single digit can be told from the trained weights.

python examples/dp_sgd.py              with PyTorch
python -m minigrad examples/dp_sgd.py  with minigrad: the same numbers

The gradient of each sample (by `torch.func`: vmap of grad) is clipped to a norm, and Gaussian noise
is added to their sum (Abadi et al., 2016). Batches are drawn by Poisson sampling, as the accounting
asks for. The accountant here computes the bound of Mironov, Talwar and Zhang (2019) on the Renyi
divergence of the sampled Gaussian mechanism, for whole orders, and turns it into (epsilon, delta)
by Canonne, Kamath and Steinke (2020); packages such as dp-accounting do the same. The guarantee is
about the mathematics: random numbers of this kind are not made for secrets.
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits
from torch.func import functional_call, grad, vmap


def renyi_divergence(rate, noise, order):
    """Of one step of the Poisson-sampled Gaussian mechanism, for a whole order > 1.

    log of sum_k C(order, k) (1 - rate)^(order - k) rate^k exp(k (k - 1) / (2 noise^2)), over
    order - 1 (Mironov, Talwar and Zhang, 2019, section 3.3).
    """
    if rate == 1:
        return order / (2 * noise**2)
    terms = [
        math.lgamma(order + 1) - math.lgamma(k + 1) - math.lgamma(order - k + 1)
        + (order - k) * math.log1p(-rate) + k * math.log(rate) + k * (k - 1) / (2 * noise**2)
        for k in range(order + 1)
    ]  # fmt: skip
    largest = max(terms)
    return (largest + math.log(sum(math.exp(t - largest) for t in terms))) / (order - 1)


def spent_epsilon(rate, noise, steps, delta):
    """The least epsilon over orders, for `steps` steps at `delta`."""
    return min(
        steps * renyi_divergence(rate, noise, order)
        + math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
        for order in range(2, 257)
    )  # fmt: skip


def network():
    """Without batch norm: a sample's gradient must not depend on others."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.Tanh(),
        nn.Conv2d(8, 16, 5, stride=2, padding=2), nn.Tanh(),
        nn.Flatten(), nn.Linear(16 * 49, 10),
    )  # fmt: skip


def private_gradients(model, images, labels, norm, noise, expected):
    """Clipped gradients of the samples, summed, with noise, over the expected number of samples.

    Returns the gradients, and the share of samples that were clipped.
    """
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, image, label):
        return F.cross_entropy(functional_call(model, weights, (image[None],)), label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))(weights, images, labels)
    squares = sum(g.flatten(1).square().sum(1) for g in each.values())
    factors = (norm / (squares.sqrt() + 1e-12)).clamp(max=1.0)
    made = {}
    for name, g in each.items():
        total = torch.einsum("n,n...->...", factors, g)
        made[name] = (total + noise * norm * torch.randn(total.shape)) / expected
    return made, (factors < 1).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--batch-size", type=int, default=250, help="expected")
    parser.add_argument("--noise", type=float, default=1.1, help="over the clipping norm")
    parser.add_argument("--norm", type=float, default=1.0)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    count = 4000
    rate = args.batch_size / count
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    report = Report("private digits", args.out)
    steps = 0
    for epoch in range(1, args.epochs + 1):
        clipped = []
        for _ in range(min(args.steps or count, count // args.batch_size)):
            part = (torch.rand(count) < rate).nonzero().squeeze(1)
            gradients, share = private_gradients(
                model, images[part], labels[part], args.norm, args.noise, args.batch_size
            )
            for name, p in model.named_parameters():
                p.grad = gradients[name]
            optimizer.step()
            steps += 1
            clipped.append(share)
        with torch.no_grad():
            right = (model(images[count:]).argmax(1) == labels[count:]).float().mean().item()
        epsilon = spent_epsilon(rate, args.noise, steps, args.delta)
        report.add(
            epoch=epoch, accuracy=right, epsilon=epsilon, clipped=sum(clipped) / len(clipped)
        )
    print(f"({epsilon:.2f}, {args.delta:g})-differentially private after {steps} steps")

    def picture(axis):
        axis.plot([r["epsilon"] for r in report.rows], [r["accuracy"] for r in report.rows])
        axis.set(xlabel=f"epsilon at delta {args.delta:g}", ylabel="accuracy")

    report.save("dp_sgd", picture)


if __name__ == "__main__":
    main()
