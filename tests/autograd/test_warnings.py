"""What PyTorch warns about once in a process."""

from __future__ import annotations

import warnings

import pytest

import minigrad as mg
from minigrad.autograd import modes


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(modes, "_warned", set())


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda x: float((x * x).sum()), "Converting a tensor with requires_grad=True"),
        (lambda x: complex((x * x).sum()), "Converting a tensor with requires_grad=True"),
        (lambda x: (x * x).sum().backward(create_graph=True), "create_graph=True will create a"),
        (lambda x: mg.meshgrid(x, x), "pass the indexing argument"),
    ],
)
def test_once_and_at_the_caller(act, text):
    x = mg.ones(3, requires_grad=True)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        act(x)
        act(x)
    assert len(seen) == 1
    assert text in str(seen[0].message)


def squares(x):
    """A closure's loss, with its gradient."""
    loss = (x * x).sum()
    loss.backward()
    return loss


@pytest.mark.parametrize(
    "act",
    [
        lambda x: int((x * x).sum()),
        lambda x: bool((x * x).sum()),
        lambda x: (x * x).sum().item(),
        lambda x: float(x.detach().sum()),
        mg.no_grad()(lambda x: float(x.sum())),
        lambda x: mg.optim.LBFGS([x]).step(lambda: squares(x)),
        lambda x: mg.autograd.grad((x * x).sum(), x, create_graph=True),
        lambda x: mg.meshgrid(x, x, indexing="ij"),
    ],
)
def test_silent(act):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        act(mg.ones(3, requires_grad=True))


@pytest.mark.parametrize("dtype", [mg.uint8, mg.int8])
def test_numbers_that_do_not_fit(dtype):
    x = mg.tensor([1, 2], dtype=dtype)
    for act in (lambda: x**300, lambda: mg.where(x > 1, x, 300)):
        with pytest.raises(RuntimeError, match="without overflow"):
            act()
