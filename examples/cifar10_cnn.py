"""A convolutional network for CIFAR-10, read from the files that CIFAR-10 comes in.

python examples/cifar10_cnn.py --data FOLDER              with PyTorch
python -m minigrad examples/cifar10_cnn.py --data FOLDER  with minigrad: the same numbers

FOLDER holds `cifar-10-batches-py` (pickles) or `cifar-10-batches-bin` (binary), as unpacked from
https://www.cs.toronto.edu/~kriz/cifar.html. Where it does not, 5 000 handwritten digits are written
in the same format, and the program says so.
"""

import argparse
import pickle
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from report import Report, digits
from torch.utils.data import DataLoader, Dataset


class ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries of arrays and lists; a file that names anything else is refused."""

    def find_class(self, module, name):
        numpy_parts = module.startswith("numpy") and name in ("_reconstruct", "ndarray", "dtype")
        if not numpy_parts and (module, name) != ("_codecs", "encode"):
            raise pickle.UnpicklingError(f"{module}.{name} does not belong into a CIFAR-10 file")
        return super().find_class(module, name)


class CIFAR10(Dataset):
    """Images (3, 32, 32) in [-1, 1] and classes 0 to 9, from five training files or the test's."""

    def __init__(self, root, train=True):
        names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
        pickles, binary = Path(root) / "cifar-10-batches-py", Path(root) / "cifar-10-batches-bin"
        if pickles.is_dir():
            parts = [self.read_pickle(pickles / name) for name in names]
            meta = self.load(pickles / "batches.meta")
            self.classes = [name.decode() for name in meta[b"label_names"]]
        elif binary.is_dir():
            parts = [self.read_binary(binary / f"{name}.bin") for name in names]
            self.classes = (binary / "batches.meta.txt").read_text().split()
        else:
            raise FileNotFoundError(f"{root} has no cifar-10-batches-py or cifar-10-batches-bin")
        self.images = np.concatenate([images for images, _ in parts]).reshape(-1, 3, 32, 32)
        self.labels = np.concatenate([labels for _, labels in parts]).astype(np.int64)

    @staticmethod
    def load(path):
        """The dictionary of a pickle; its keys are bytes."""
        with open(path, "rb") as file:
            return ArrayUnpickler(file, encoding="bytes").load()

    def read_pickle(self, path):
        """Pixels (N, 3072), red, green and blue planes in rows, and N labels."""
        batch = self.load(path)
        return np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"])

    def read_binary(self, path):
        """The same, from records of a label and 3072 pixels."""
        records = np.fromfile(path, np.uint8)
        if records.size == 0 or records.size % 3073:
            raise ValueError(f"{path} has {records.size} bytes; needed: a multiple of 3073")
        records = records.reshape(-1, 3073)
        return records[:, 1:], records[:, 0]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).float() / 127.5 - 1.0
        return image, torch.tensor(self.labels[index])


def write_digits(root):
    """Handwritten digits as coloured images, in CIFAR-10's files: 5 x 800 and 1 000 for testing."""
    folder = Path(root) / "cifar-10-batches-py"
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(images))
    small = (images[order] * 255).astype(np.uint8)
    wide = np.zeros((len(small), 3, 32, 32), np.uint8)
    wide[:, :, 2:30, 2:30] = small
    rows, labels = wide.reshape(-1, 3072), labels[order]
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name, part in zip(names, np.split(np.arange(5000), [800, 1600, 2400, 3200, 4000])):
        batch = {
            b"batch_label": name.encode(),
            b"labels": labels[part].tolist(),
            b"data": rows[part],
            b"filenames": [b"digit_%d.png" % i for i in part],
        }
        with open(folder / name, "wb") as file:
            pickle.dump(batch, file, protocol=2)
    meta = {b"label_names": [b"%d" % i for i in range(10)], b"num_vis": 3072}
    with open(folder / "batches.meta", "wb") as file:
        pickle.dump(meta, file, protocol=2)


class CNN(nn.Module):
    """Two convolutions with pooling, two linear layers: 8 477 066 parameters."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(64, 128, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(128 * 8 * 8, 1024)
        self.fc2 = nn.Linear(1024, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 128 * 8 * 8)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def train(model, loader, criterion, optimizer, steps):
    """One epoch, or at most `steps` batches of it; the mean loss."""
    model.train()
    total = count = 0
    for images, labels in loader:
        optimizer.zero_grad()
        output = model(images)
        loss = criterion(output, labels)
        loss.backward()
        optimizer.step()
        total, count = total + loss.item(), count + 1
        if count == steps:
            break
    return total / count


def test(model, loader, steps):
    """The share of right answers."""
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for step, (images, labels) in enumerate(loader, 1):
            output = model(images)
            _, predicted = torch.max(output.data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
            if step == steps:
                break
    return correct / total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="data", help="the folder that CIFAR-10 was unpacked in")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, help="at most so many batches an epoch")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="examples/output")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    root, title = args.data, "CIFAR-10"
    try:
        training = CIFAR10(root, train=True)
    except FileNotFoundError as missing:
        root, title = Path(args.out) / "digits-in-cifar10-format", "digits in CIFAR-10's format"
        print(f"{missing}: training on handwritten digits, written to {root} in the same format")
        write_digits(root)
        training = CIFAR10(root, train=True)
    testing = CIFAR10(root, train=False)
    train_loader = DataLoader(training, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(testing, batch_size=args.batch_size)

    model = CNN()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    report = Report(title, args.out)
    for epoch in range(1, args.epochs + 1):
        loss = train(model, train_loader, criterion, optimizer, args.steps)
        accuracy = test(model, test_loader, args.steps)
        report.add(epoch=epoch, loss=loss, accuracy=accuracy)

    image, _ = testing[0]
    _, guess = torch.max(model(image[None]).data, 1)

    def picture(axis):
        axis.imshow((image.numpy().transpose(1, 2, 0) + 1) / 2)
        axis.set(title=f"read as {testing.classes[guess.item()]}", xticks=[], yticks=[])

    report.save("cifar10_cnn", picture)


if __name__ == "__main__":
    main()
