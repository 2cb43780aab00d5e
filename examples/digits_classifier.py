"""A convolutional network that reads handwritten digits.

python examples/digits_classifier.py              with PyTorch
python -m minigrad examples/digits_classifier.py  with minigrad: the same numbers
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    """Two convolutions with batch norm, two linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(16)
        self.fc1 = nn.Linear(16 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


def train(model, loader, optimizer, scheduler, steps):
    """One epoch, or at most `steps` batches of it; the mean loss."""
    model.train()
    total, count = 0.0, 0
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total, count = total + loss.item(), count + 1
        if count == steps:
            break
    return total / count


@torch.no_grad()
def test(model, loader):
    """The mean loss and the share of right answers."""
    model.eval()
    loss = correct = count = 0
    for data, target in loader:
        output = model(data)
        loss += F.cross_entropy(output, target, reduction="sum").item()
        correct += (output.argmax(dim=1) == target).sum().item()
        count += len(target)
    return loss / count, correct / count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    training, testing = random_split(TensorDataset(images, labels), [4000, 1000])
    train_loader = DataLoader(training, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(testing, batch_size=500)

    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, args.epochs * len(train_loader)
    )
    report = Report("digits", args.out)
    for epoch in range(1, args.epochs + 1):
        loss = train(model, train_loader, optimizer, scheduler, args.steps)
        test_loss, accuracy = test(model, test_loader)
        report.add(epoch=epoch, loss=loss, test=test_loss, accuracy=accuracy)

    image, _ = testing[0]
    guess = model(image[None]).argmax().item()

    def picture(axis):
        axis.imshow(image[0].numpy(), cmap="gray_r")
        axis.set(title=f"read as {guess}", xticks=[], yticks=[])

    report.save("digits_classifier", picture)


if __name__ == "__main__":
    main()
