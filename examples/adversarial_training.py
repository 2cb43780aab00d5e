"""Training against attacks: a plain network and one trained on attacked images, both attacked.

python examples/adversarial_training.py              with PyTorch
python -m minigrad examples/adversarial_training.py  with minigrad: the same numbers

FGSM moves every pixel by epsilon in the direction in which the loss grows (Goodfellow et al.,
2015); PGD goes there in small steps, from a random place (Madry et al., 2018). The table has a row
for each epoch of plain training (robust 0) and of training on images that PGD has attacked (robust
1), with the accuracy on untouched and on attacked test images.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from report import Report, digits
from torch.utils.data import DataLoader, TensorDataset, random_split


def network():
    """Two convolutions and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def loss_gradient(model, images, labels):
    """The gradient of the loss with respect to the images; the model's own stay untouched."""
    images = images.detach().requires_grad_()
    loss = F.cross_entropy(model(images), labels)
    return torch.autograd.grad(loss, images)[0]


def fgsm(model, images, labels, epsilon):
    """One step of epsilon along the gradient's signs."""
    moved = images + epsilon * loss_gradient(model, images, labels).sign()
    return moved.clamp(0, 1)


def pgd(model, images, labels, epsilon, steps=5):
    """Steps along the gradient's signs, kept within epsilon of the images."""
    moved = (images + torch.empty_like(images).uniform_(-epsilon, epsilon)).clamp(0, 1)
    for _ in range(steps):
        ahead = moved + 2.5 * epsilon / steps * loss_gradient(model, moved, labels).sign()
        moved = torch.min(torch.max(ahead, images - epsilon), images + epsilon).clamp(0, 1)
    return moved


def train(model, loader, optimizer, attack, steps):
    """One epoch, or at most `steps` batches of it, on attacked images; the mean loss."""
    model.train()
    total = count = 0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(attack(model, images, labels)), labels)
        loss.backward()
        optimizer.step()
        total, count = total + loss.item(), count + 1
        if count == steps:
            break
    return total / count


def accuracy(model, loader, attack):
    """The share of right answers on attacked images."""
    model.eval()
    right = total = 0
    for images, labels in loader:
        attacked = attack(model, images, labels)
        with torch.no_grad():
            right += (model(attacked).argmax(1) == labels).sum().item()
        total += len(labels)
    return right / total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--epsilon", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    def none(model, images, labels):
        return images

    def single(model, images, labels):
        return fgsm(model, images, labels, args.epsilon)

    def many(model, images, labels):
        return pgd(model, images, labels, args.epsilon)

    torch.manual_seed(args.seed)
    images, labels = (torch.from_numpy(array) for array in digits())
    training, testing = random_split(TensorDataset(images, labels), [4000, 1000])
    test_loader = DataLoader(testing, batch_size=500)
    report = Report("attacked digits", args.out)
    row = 0
    for robust, attack in enumerate((none, many)):
        torch.manual_seed(args.seed)
        loader = DataLoader(training, batch_size=64, shuffle=True)
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
        for _ in range(args.epochs):
            row += 1
            loss = train(model, loader, optimizer, attack, args.steps)
            report.add(
                row=row,
                robust=robust,
                loss=loss,
                accuracy=accuracy(model, test_loader, none),
                fgsm_accuracy=accuracy(model, test_loader, single),
                pgd_accuracy=accuracy(model, test_loader, many),
            )

    image, label = testing[0]
    attacked = pgd(model, image[None], label[None], args.epsilon)[0]

    def picture(axis):
        axis.imshow(torch.cat([image[0], attacked[0]], 1).numpy(), cmap="gray_r")
        axis.set(title="a digit, and attacked", xticks=[], yticks=[])

    report.save("adversarial_training", picture)


if __name__ == "__main__":
    main()
