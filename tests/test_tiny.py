"""The whole library in a minute: one test for each promise of the README."""

from __future__ import annotations

import copy
import gc
import io
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


def test_arrays_are_shared_not_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    t = mg.from_numpy(array)
    t += 1
    assert array[0, 0] == 1
    assert np.shares_memory(t.numpy(), array)
    assert np.shares_memory(t[:, 1].t().numpy(), array)


def test_gradients_flow() -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = (x @ x.t()).relu().sum() + (x**2).mean()
    y.backward()
    total = x.detach().numpy().sum(0)
    np.testing.assert_allclose(x.grad.numpy(), 2 * total + x.detach().numpy() / 2, rtol=1e-6)


def test_gradients_of_gradients() -> None:
    x = mg.tensor([0.5, 1.5], dtype=mg.float64, requires_grad=True)
    (g,) = mg.autograd.grad((x.sin() * x).sum(), x, create_graph=True)
    (h,) = mg.autograd.grad(g.sum(), x)
    v = x.detach().numpy()
    np.testing.assert_allclose(h.numpy(), 2 * np.cos(v) - v * np.sin(v))


def small_net() -> nn.Module:
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(4 * 4 * 4, 3),
    )


def stripes(n: int = 96) -> tuple:
    """Three kinds of 8x8 images: horizontal, vertical and diagonal stripes, with noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    kinds = np.stack([y % 2, x % 2, (x + y) % 4 < 2]).astype(np.float32)
    labels = rng.integers(0, 3, n)
    images = kinds[labels] + rng.normal(0, 0.3, (n, 8, 8)).astype(np.float32)
    return mg.from_numpy(images[:, None].astype(np.float32)), mg.from_numpy(labels)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_a_network_learns(name: str) -> None:
    model = small_net()
    images, labels = stripes()
    optimizer = getattr(mg.optim, name)(model.parameters(), lr=0.1 if name == "SGD" else 0.01)
    loader = mg.utils.data.DataLoader(
        mg.utils.data.TensorDataset(images, labels), batch_size=32, shuffle=True
    )
    for _ in range(12):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    model.eval()
    with mg.no_grad():
        assert (model(images).argmax(1) == labels).float().mean().item() > 0.95


def test_an_interrupted_run_resumes_exactly() -> None:
    images, labels = stripes()

    def steps(model: nn.Module, optimizer: mg.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()

    model = small_net()
    optimizer = mg.optim.Adam(model.parameters(), lr=0.01)
    steps(model, optimizer, 3)
    file = io.BytesIO()
    state = {"model": model.state_dict(), "opt": optimizer.state_dict(), "rng": mg.get_rng_state()}
    mg.save(state, file)
    steps(model, optimizer, 3)

    file.seek(0)
    loaded = mg.load(file)
    other = small_net()
    other_optimizer = mg.optim.Adam(other.parameters(), lr=0.01)
    other.load_state_dict(loaded["model"])
    other_optimizer.load_state_dict(loaded["opt"])
    mg.set_rng_state(loaded["rng"])
    steps(other, other_optimizer, 3)
    for a, b in zip(model.parameters(), other.parameters()):
        assert mg.equal(a, b)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    before = mg.get_num_threads()
    results = []
    for threads in (1, 2):
        mg.set_num_threads(threads)
        model = small_net()
        images, labels = stripes()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        results.append([loss.item(), *[p.grad.numpy().copy() for p in model.parameters()]])
    mg.set_num_threads(before)
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_memory_is_freed_without_the_garbage_collector() -> None:
    model = small_net()
    images, labels = stripes(32)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    for _ in range(3):
        step()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(20):
            step()
        assert len(gc.get_objects()) - before < 20  # less than one object a step
    finally:
        gc.enable()


def test_errors_say_what_was_given_and_what_was_needed() -> None:
    with pytest.raises(RuntimeError, match=r"3x4.*3x4"):
        mg.zeros(3, 4) @ mg.zeros(3, 4)
    with pytest.raises(RuntimeError, match="second time"):
        y = (mg.ones(2, requires_grad=True) ** 2).sum()
        y.backward()
        y.backward()
    with pytest.raises(RuntimeError, match="in-place"):
        mg.ones(2, requires_grad=True).add_(1)


def test_modules_copy_and_convert() -> None:
    model = small_net().eval()
    twin = copy.deepcopy(model)
    images, _ = stripes(4)
    assert mg.equal(model(images), twin(images))
    double = twin.double()
    np.testing.assert_allclose(
        double(images.double()).detach().numpy(), model(images).detach().numpy(), atol=1e-5
    )


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, minigrad; "
        "print([m for m in ('torch', 'scipy', 'matplotlib', 'multiprocessing', 'cupy', 'pandas') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_show_config(capsys: pytest.CaptureFixture) -> None:
    mg.show_config()
    printed = capsys.readouterr().out
    for word in (mg.__version__, "instruction set", "threads", "memory pool", "CUDA"):
        assert word in printed
