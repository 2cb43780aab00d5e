"""`nn.functional`: PyTorch's signatures, and the functions that are no plain binding."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional

torch = pytest.importorskip("torch")
NAMES = [
    name
    for name, f in vars(functional).items()
    if callable(f) and not name.startswith("_") and hasattr(torch.nn.functional, name)
]


def parameters(function: object) -> list:
    return [
        (p.name, p.default, p.kind)
        for p in inspect.signature(function).parameters.values()  # type: ignore[arg-type]
        if p.name not in ("out", "noise")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_pytorchs(name: str) -> None:
    theirs = getattr(torch.nn.functional, name)
    try:
        expected = parameters(theirs)
    except ValueError:
        return  # a builtin without a signature
    if name.endswith("_") or [p[0] for p in expected] == ["args", "kwargs"]:
        return
    got = parameters(getattr(functional, name))
    assert got == [p for p in expected if p[0] != "out"]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 4), (2, 3, 4, 2)])
def test_softmax_without_a_dimension(name: str, shape: tuple) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        got = getattr(functional, name)(mg.Tensor._from_array(values))
    with pytest.warns(UserWarning):
        expected = getattr(torch.nn.functional, name)(torch.from_numpy(values))
    np.testing.assert_allclose(got._array, expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("dropout1d", (9, 8)), ("dropout1d", (3, 9, 8)), ("dropout2d", (5, 6, 7, 8)),
     ("dropout3d", (9, 2, 3, 4)), ("dropout3d", (3, 9, 2, 2, 2))],
)  # fmt: skip
@pytest.mark.parametrize("inplace", [False, True])
def test_channel_dropout(name: str, shape: tuple, inplace: bool) -> None:
    mg.manual_seed(1)
    x = mg.Tensor._from_array(np.ones(shape))
    y = getattr(functional, name)(x, 0.5, True, inplace)
    assert (y is x) == inplace
    assert tuple(y.shape) == shape
    lead = 1 if name == "dropout1d" and len(shape) == 2 or shape[0] == 9 else 2
    channels = y._array.reshape(int(np.prod(shape[:lead])), -1)
    assert set(np.unique(channels)) == {0.0, 2.0}
    assert (channels == channels[:, :1]).all()


def test_legacy_reductions() -> None:
    x, t = (mg.Tensor._from_array(np.arange(4.0) * k) for k in (1, 2))
    with pytest.warns(UserWarning, match="size_average and reduce args"):
        assert functional.mse_loss(x, t, size_average=False).item() == 14
    with pytest.warns(UserWarning):
        assert tuple(functional.mse_loss(x, t, reduce=False).shape) == (4,)
    with pytest.warns(UserWarning):
        assert functional.mse_loss(x, t, size_average=True).item() == 3.5


def test_in_place_activations() -> None:
    x = mg.Tensor._from_array(np.array([-1.0, 2.0]))
    assert functional.relu_(x) is x
    assert x._array.tolist() == [0, 2]


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax(hard: bool) -> None:
    logits = np.random.default_rng(0).standard_normal((4, 5))
    mg.manual_seed(2)
    torch.manual_seed(2)
    x = mg.Tensor._from_array(logits.copy()).requires_grad_()
    z = torch.from_numpy(logits.copy()).requires_grad_()
    y = functional.gumbel_softmax(x, 0.7, hard)
    expected = torch.nn.functional.gumbel_softmax(z, 0.7, hard)
    np.testing.assert_allclose(y._array, expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    weight = np.random.default_rng(1).standard_normal((4, 5))
    y.backward(mg.Tensor._from_array(weight))
    expected.backward(torch.from_numpy(weight))
    np.testing.assert_allclose(x.grad._array, z.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_that_cannot_be(mode: str) -> None:
    for lib in (mg, torch):
        f, table = lib.nn.functional.embedding_bag, lib.zeros(4, 3)
        for ids, offsets in (
            ([0, 7], [0]), ([0, -1], [0]), ([0, 1], [1]), ([0, 1], [0, 5]),
            ([[0, 1], [9, 2]], None), ([[], []], None),
        ):  # fmt: skip
            given = lib.tensor(ids, dtype=lib.int64)
            starts = None if offsets is None else lib.tensor(offsets)
            with pytest.raises(RuntimeError):
                f(given, table, starts, mode=mode)
    with pytest.raises(RuntimeError, match="must not fall"):  # PyTorch reads outside
        mg.nn.functional.embedding_bag(
            mg.tensor([0, 1, 2, 3]), mg.zeros(4, 3), mg.tensor([0, 3, 1]), mode=mode
        )
