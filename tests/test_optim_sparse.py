"""Optimizers with sparse gradients against PyTorch: which take them, and what they do."""

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")


def run(lib, name, options, rows=True):
    rng = np.random.default_rng(0)
    shape = (6, 3) if rows else (6,)
    p = lib.from_numpy(rng.standard_normal(shape)).requires_grad_()
    optimizer = getattr(lib.optim, name)([p], **options)
    for step in range(12):
        rng = np.random.default_rng(step)
        places = lib.from_numpy(rng.integers(0, 6, (1, 0 if step == 5 else 4)))
        values = lib.from_numpy(rng.standard_normal((places.shape[1], *shape[1:])))
        p.grad = lib.sparse_coo_tensor(places, values, shape)
        optimizer.step()
    return p.detach().numpy(), optimizer.state_dict()


@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SparseAdam", {"lr": 0.1}),
        ("SparseAdam", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "maximize": True}),
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("Adagrad", {"lr": 0.1}),
        ("Adagrad", {"lr": 0.1, "maximize": True, "initial_accumulator_value": 0.3}),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "eps": 1e-4}),
    ],
)
def test_sparse_gradients(name, options, rows):
    (p, mine), (q, theirs) = (run(lib, name, options, rows) for lib in (mg, torch))
    np.testing.assert_allclose(p, q, rtol=1e-10, atol=1e-12)
    if name == "SGD":
        return  # its buffer is sparse in PyTorch
    assert list(mine["state"][0]) == list(theirs["state"][0])
    for key, value in theirs["state"][0].items():
        np.testing.assert_allclose(
            np.asarray(mine["state"][0][key]), np.asarray(value), rtol=1e-10, atol=1e-12
        )
    assert type(mine["state"][0]["step"]).__name__ == type(theirs["state"][0]["step"]).__name__


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Adam", "Adam does not support sparse gradients, please consider SparseAdam instead"),
        ("RMSprop", "RMSprop does not support sparse gradients"),
        ("NAdam", "NAdam does not support sparse gradients"),
        ("Rprop", "Rprop does not support sparse gradients"),
        ("Adafactor", "Adafactor does not support sparse gradients"),
        ("Muon", "Muon does not support sparse gradients"),
    ],
)
def test_optimizers_without_sparse_gradients(name, message):
    for lib in (mg, torch):
        p = lib.ones(6, 3).requires_grad_()
        p.grad = lib.sparse_coo_tensor(lib.tensor([[1]]), lib.ones(1, 3), (6, 3))
        with pytest.raises(RuntimeError, match=message):
            getattr(lib.optim, name)([p]).step()
        with pytest.raises(RuntimeError, match="weight_decay option is not compatible"):
            lib.optim.Adagrad([p], weight_decay=0.1).step()
