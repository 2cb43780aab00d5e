"""MAML: a network that learns a new sine wave from ten points, in one to five steps.

python examples/meta_learning.py              with PyTorch
python -m minigrad examples/meta_learning.py  with minigrad: the same numbers

A task is a wave of its own amplitude and phase. Model-agnostic meta-learning (Finn, Abbeel and
Levine, 2017) trains the weights from which one gradient step on a task's ten points does best on
other points of the task: it follows the gradient through that step, which needs second gradients.
`--first-order` leaves these out. The table has the error before and after the step; in the end a
network trained on all tasks together is adapted, too, which does not help it.
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report
from torch.func import functional_call


def network():
    """A number to a number."""
    return nn.Sequential(
        nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1)
    )


def tasks(count, points):
    """`count` waves: inputs (count, points, 1) in [-5, 5], and their values."""
    amplitude = torch.rand(count, 1, 1) * 4.9 + 0.1
    phase = torch.rand(count, 1, 1) * math.pi
    x = torch.rand(count, points, 1) * 10 - 5
    return x, amplitude * torch.sin(x - phase)


def adapted(model, weights, x, y, lr, steps=1, create_graph=False):
    """The weights after gradient steps on a task's points."""
    for _ in range(steps):
        loss = F.mse_loss(functional_call(model, weights, (x,)), y)
        gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph)
        weights = {
            name: w - lr * g for (name, w), g in zip(weights.items(), gradients)
        }  # the graph goes through w and, with create_graph, through g
    return weights


def meta_loss(model, batch, lr, first_order):
    """Mean errors over tasks on their later points, before the step on the first ten and after."""
    before = after = 0.0
    weights = dict(model.named_parameters())
    for x, y in zip(*batch):
        before = before + F.mse_loss(model(x[10:]), y[10:]).detach()
        learned = adapted(model, weights, x[:10], y[:10], lr, create_graph=not first_order)
        after = after + F.mse_loss(functional_call(model, learned, (x[10:],)), y[10:])
    return before / len(batch[0]), after / len(batch[0])


def errors(model, batch, lr, steps):
    """The mean error over tasks after 0, 1, ... `steps` steps."""
    total = [0.0] * (steps + 1)
    for x, y in zip(*batch):
        weights = {name: p.detach().requires_grad_() for name, p in model.named_parameters()}
        for step in range(steps + 1):
            loss = F.mse_loss(functional_call(model, weights, (x[10:],)), y[10:])
            total[step] += loss.item() / len(batch[0])
            weights = adapted(model, weights, x[:10], y[:10], lr)
            weights = {name: w.detach().requires_grad_() for name, w in weights.items()}
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500, help="updates of the weights")
    parser.add_argument("--tasks", type=int, default=10, help="tasks in an update")
    parser.add_argument("--lr", type=float, default=0.02, help="of the steps on a task")
    parser.add_argument("--first-order", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    model, together = network(), network()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    plain = torch.optim.Adam(together.parameters(), lr=2e-3)
    report = Report("MAML on sine waves", args.out)
    every = max(1, args.steps // 20)
    for step in range(1, args.steps + 1):
        batch = tasks(args.tasks, 20)
        before, after = meta_loss(model, batch, args.lr, args.first_order)
        optimizer.zero_grad()
        after.backward()
        optimizer.step()
        plain.zero_grad()
        joint = F.mse_loss(together(batch[0]), batch[1])
        joint.backward()
        plain.step()
        if step % every == 0:
            report.add(
                step=step, before=before.item(), after_one_step=after.item(), joint=joint.item()
            )
    new = tasks(100, 20)
    curves = {
        "MAML": errors(model, new, args.lr, 5), "joint": errors(together, new, args.lr, 5),
    }  # fmt: skip
    for name, curve in curves.items():
        shown = "  ".join(f"{value:.3f}" for value in curve)
        print(f"error on 100 new tasks after 0 to 5 steps, {name}: {shown}")

    def picture(axis):
        for name, curve in curves.items():
            axis.plot(curve, marker="o", label=name)
        axis.set(xlabel="gradient steps on ten points", ylabel="error on others", yscale="log")
        axis.legend()

    report.save("meta_learning", picture)


if __name__ == "__main__":
    main()
