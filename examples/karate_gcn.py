"""A graph network (Kipf and Welling 2017) that splits Zachary's karate club (1977).

    python examples/karate_gcn.py              with PyTorch
    python -m minigrad examples/karate_gcn.py  with minigrad: the same numbers

Of the 34 members only the two leaders' sides are known; the others' follow from who meets whom.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report

# For each member, those of higher number whom they meet; and the side each took.
MEETS = (
    "1.2.3.4.5.6.7.8.10.11.12.13.17.19.21.31 2.3.7.13.17.19.21.30 3.7.8.9.13.27.28.32 7.12.13 "
    "6.10 6.10.16 16 - 30.32.33 33 - - - 33 32.33 32.33 - - 32.33 33 32.33 - 32.33 "
    "25.27.29.32.33 25.27.31 31 29.33 33 31.33 32.33 32.33 32.33 33 -"
)
SIDES = "0000000001000011001010111111111111"


def graph():
    """Edges in both directions and from each member to itself, (2, E); sides, (34,)."""
    rows = enumerate(MEETS.split())
    pairs = [(i, int(j)) for i, row in rows if row != "-" for j in row.split(".")]
    edges = torch.tensor(pairs).T
    itself = torch.arange(len(SIDES)).expand(2, -1)
    sides = torch.tensor([int(side) for side in SIDES])
    return torch.cat([edges, edges.flip(0), itself], dim=1), sides


class GraphConvolution(nn.Module):
    """Sums what neighbours send, each divided by the root of both numbers of neighbours."""

    def __init__(self, inside, out):
        super().__init__()
        self.linear = nn.Linear(inside, out, bias=False)
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x, edges, weight):
        source, target = edges
        sent = self.linear(x)[source] * weight[:, None]
        summed = torch.zeros(len(x), sent.shape[1]).index_add(0, target, sent)
        return summed + self.bias


class GCN(nn.Module):
    """Two convolutions over an embedding of each member."""

    def __init__(self, members, hidden=16, classes=2):
        super().__init__()
        self.embedding = nn.Embedding(members, hidden)
        self.conv1 = GraphConvolution(hidden, hidden)
        self.conv2 = GraphConvolution(hidden, classes)

    def forward(self, edges, weight):
        x = torch.tanh(self.conv1(self.embedding.weight, edges, weight))
        return self.conv2(x, edges, weight), x


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--lr", type=float, default=2e-2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    edges, sides = graph()
    degree = torch.bincount(edges[1], minlength=len(sides)).float()
    weight = degree[edges[0]].rsqrt() * degree[edges[1]].rsqrt()
    known = torch.tensor([0, len(sides) - 1])

    model = GCN(len(sides))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=5e-4)
    report = Report("karate", args.out)
    every = max(args.steps // 10, 1)
    for step in range(1, args.steps + 1):
        logits, _ = model(edges, weight)
        loss = F.cross_entropy(logits[known], sides[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % every == 0 or step == 1:
            right = (logits.argmax(dim=1) == sides).float().mean()
            report.add(step=step, loss=loss.item(), right=right.item())

    def picture(axis):
        with torch.no_grad():
            difference = logits[:, 1] - logits[:, 0]
        colours = ["tab:blue" if side == 0 else "tab:orange" for side in sides.tolist()]
        axis.bar(range(len(sides)), difference.numpy(), color=colours)
        axis.set(title="score of the second side, by member", xlabel="member")

    report.save("karate_gcn", picture)


if __name__ == "__main__":
    main()
