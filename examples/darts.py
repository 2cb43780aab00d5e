"""DARTS: a cell whose operations are chosen by gradients.

python examples/darts.py              with PyTorch
python -m minigrad examples/darts.py  with minigrad: the same numbers

Each of a cell's edges computes a mixture of operations, weighted by a softmax of numbers alpha
(Liu, Simonyan and Yang, 2019). Weights learn from one half of the digits, alphas from the other, in
turns (the first-order form). Then each edge keeps its strongest operation but "none"; the network
of chosen operations is trained anew, beside one with operations chosen at random. Rows: searching
(phase 0), the found cell (phase 1), a random one (phase 2).
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits

C = 8  # channels of the cells


class Zero(nn.Module):
    """Cuts an edge."""

    def forward(self, x):
        return x * 0.0


def convolution(size):
    """Depthwise, then pointwise, with a batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(C, C, size, padding=size // 2, groups=C, bias=False),
        nn.Conv2d(C, C, 1, bias=False),
        nn.BatchNorm2d(C),
    )


OPERATIONS = {
    "none": Zero,
    "skip": nn.Identity,
    "max_pool_3x3": lambda: nn.MaxPool2d(3, 1, 1),
    "avg_pool_3x3": lambda: nn.AvgPool2d(3, 1, 1),
    "conv_3x3": lambda: convolution(3),
    "conv_5x5": lambda: convolution(5),
}
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]  # from a node to a later one


class Edge(nn.Module):
    """A mixture of operations, or the one that was chosen."""

    def __init__(self, chosen):
        super().__init__()
        names = OPERATIONS if chosen is None else [chosen]
        self.operations = nn.ModuleList([OPERATIONS[name]() for name in names])

    def forward(self, x, weights):
        if len(self.operations) == 1:
            return self.operations[0](x)
        return sum(w * operation(x) for w, operation in zip(weights, self.operations))


class Cell(nn.Module):
    """Four nodes: each but the first is the sum of its edges; the output is the last."""

    def __init__(self, genotype):
        super().__init__()
        chosen = genotype or [None] * len(EDGES)
        self.edges = nn.ModuleList([Edge(name) for name in chosen])

    def forward(self, x, weights):
        nodes = {0: x}
        for (source, target), edge, w in zip(EDGES, self.edges, weights):
            value = edge(nodes[source], w)
            nodes[target] = nodes[target] + value if target in nodes else value
        return nodes[3]


class Network(nn.Module):
    """A stem, two cells of one architecture with pooling between them, a linear layer."""

    def __init__(self, genotype=None):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, C, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(C)
        )
        self.cells = nn.ModuleList([Cell(genotype), Cell(genotype)])
        self.out = nn.Linear(C * 9, 10)
        self.alpha = nn.Parameter(1e-3 * torch.randn(len(EDGES), len(OPERATIONS)))

    def forward(self, x):
        weights = F.softmax(self.alpha, 1)
        x = F.max_pool2d(self.cells[0](self.stem(x), weights), 2)
        x = F.adaptive_avg_pool2d(self.cells[1](x, weights), 3)
        return self.out(x.flatten(1))

    def genotype(self):
        """The strongest operation of each edge, "none" left out."""
        names = list(OPERATIONS)
        return [names[1 + i] for i in self.alpha[:, 1:].argmax(1).tolist()]


def batches(data, size, steps):
    order = torch.randperm(len(data[0])).split(size)[:steps]
    return [(data[0][part], data[1][part]) for part in order]


def accuracy(model, data):
    model.eval()
    with torch.no_grad():
        right = (model(data[0]).argmax(1) == data[1]).float().mean().item()
    model.train()
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    halves = [(images[a : a + 2000], labels[a : a + 2000]) for a in (0, 2000)]
    whole, test = (images[:4000], labels[:4000]), (images[4000:], labels[4000:])
    report = Report("DARTS on digits", args.out)
    row = 0

    def train(model, phase, learning, architecture=None):
        nonlocal row
        for _ in range(args.epochs):
            row, total = row + 1, 0.0
            given = batches(halves[0] if architecture else whole, 50, args.steps)
            others = batches(halves[1], 50, args.steps)
            for i, (x, y) in enumerate(given):
                if architecture:
                    architecture.zero_grad()
                    F.cross_entropy(model(others[i][0]), others[i][1]).backward()
                    architecture.step()
                learning.zero_grad()
                loss = F.cross_entropy(model(x), y)
                loss.backward()
                # As in the paper; without it some of the random cells diverge.
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                learning.step()
                total += loss.item() / len(given)
            report.add(row=row, phase=phase, loss=total, accuracy=accuracy(model, test))

    def optimizer(model):
        weights = [p for name, p in model.named_parameters() if name != "alpha"]
        return torch.optim.SGD(weights, lr=0.05, momentum=0.9, weight_decay=3e-4)

    search = Network()
    alphas = torch.optim.Adam([search.alpha], lr=2e-2, betas=(0.5, 0.999), weight_decay=1e-3)
    train(search, 0, optimizer(search), alphas)
    found = search.genotype()
    names = list(OPERATIONS)[1:]
    drawn = [names[i] for i in torch.randint(len(names), (len(EDGES),)).tolist()]
    for phase, genotype in ((1, found), (2, drawn)):
        torch.manual_seed(args.seed)
        print(", ".join(f"{a}->{b} {name}" for (a, b), name in zip(EDGES, genotype)))
        model = Network(genotype)
        train(model, phase, optimizer(model))

    def picture(axis):
        axis.imshow(F.softmax(search.alpha, 1).detach().numpy(), cmap="Greens")
        axis.set_xticks(range(len(OPERATIONS)), list(OPERATIONS), rotation=45)
        axis.set_yticks(range(len(EDGES)), [f"{a}->{b}" for a, b in EDGES])

    report.save("darts", picture)


if __name__ == "__main__":
    main()
