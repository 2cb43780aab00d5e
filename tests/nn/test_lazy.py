"""Lazy layers: sizes found at the first call, as in PyTorch."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from pair import both, torch, values

import minigrad as mg

# The layer, its arguments, the shape of an input.
LAYERS = [
    ("LazyLinear", (4,), (3, 5)),
    ("LazyLinear", (4, False), (2, 3, 5)),
    ("LazyConv1d", (4, 2), (2, 3, 8)),
    ("LazyConv2d", (4, 3, 1, 1), (3, 6, 7)),
    ("LazyConv3d", (4, 2), (2, 3, 4, 5, 6)),
    ("LazyConvTranspose1d", (4, 2, 2), (3, 8)),
    ("LazyConvTranspose2d", (4, 3), (2, 3, 6, 7)),
    ("LazyConvTranspose3d", (4, 2), (2, 3, 3, 3, 3)),
    ("LazyBatchNorm1d", (), (4, 3)),
    ("LazyBatchNorm2d", (1e-4, 0.2), (4, 3, 2, 2)),
    ("LazyBatchNorm3d", (1e-5, 0.1, False), (4, 3, 2, 2, 2)),
    ("LazyInstanceNorm1d", (), (4, 3, 5)),
    ("LazyInstanceNorm2d", (1e-5, 0.1, True, False), (4, 3, 5, 4)),
    ("LazyInstanceNorm3d", (), (4, 3, 2, 3, 4)),
]


def state(module: Any) -> dict:
    return {name: values(t) for name, t in module.state_dict().items()}


@pytest.mark.parametrize("name, args, shape", LAYERS)
def test_first_call(name: str, args: tuple, shape: tuple) -> None:
    """Parameters, start values, result, repr and class after it are PyTorch's."""
    found = []
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for lib in (torch, mg):
        lib.manual_seed(0)
        module = getattr(lib.nn, name)(*args)
        before = repr(module), list(module.state_dict())
        assert module.has_uninitialized_params() or name == "LazyBatchNorm3d"
        out = module(lib.from_numpy(x))
        assert type(module) is getattr(lib.nn, name.removeprefix("Lazy"))
        assert not module._forward_pre_hooks
        np.testing.assert_array_equal(module(lib.from_numpy(x)).shape, out.shape)
        found.append((before, repr(module), state(module), values(out)))
    assert found[0][:2] == found[1][:2]
    assert found[0][2].keys() == found[1][2].keys()
    for key, want in found[0][2].items():
        np.testing.assert_allclose(found[1][2][key], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1][3], found[0][3], rtol=1e-4, atol=1e-5)


@both
def test_states(m: Any) -> None:
    """A lazy layer takes the shapes of what is loaded; one with a shape takes none without."""
    lazy, plain = m.nn.LazyLinear(3), m.nn.Linear(2, 3)
    kept = lazy.state_dict()
    assert isinstance(kept["weight"], m.nn.UninitializedParameter)
    with pytest.raises(RuntimeError, match="shape of an uninitialized"):
        plain.load_state_dict(kept)
    m.nn.LazyLinear(3).load_state_dict(kept)
    lazy.load_state_dict(plain.state_dict())
    assert values(lazy.weight) == values(plain.weight)
    assert type(lazy) is m.nn.LazyLinear
    lazy(m.ones(1, 2))
    assert type(lazy) is m.nn.Linear
    assert lazy.in_features == 2
    assert values(lazy.weight) == values(plain.weight)


@both
def test_uses_before_the_first_call(m: Any) -> None:
    param = m.nn.UninitializedParameter()
    for use in (
        lambda: m.empty_like(param), lambda: m.add(param, param), lambda: param + param,
        lambda: param.numel(), lambda: param[0], lambda: m.matmul(param, m.ones(2)),
        lambda: param.clone(), lambda: m.nn.functional.linear(m.ones(2, 2), m.ones(2, 2), param),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="uninitialized parameter"):
            use()
    with pytest.raises(RuntimeError, match="shape of an uninitialized"):
        param.shape  # noqa: B018
    with pytest.raises(RuntimeError, match="share memory on an uninitialized"):
        m.nn.LazyLinear(3).share_memory()
    assert param.dtype == m.float32
    assert param.requires_grad
    assert repr(param) == "<UninitializedParameter>"
    param.materialize((2, 3))
    assert type(param) is m.nn.Parameter
    assert param.shape == (2, 3)


@both
def test_optimizers_know_it_before(m: Any) -> None:
    layer = m.nn.LazyLinear(3)
    optimizer = m.optim.SGD(layer.parameters(), lr=0.5)
    out = layer(m.ones(2, 4))
    before = values(layer.weight)
    out.sum().backward()
    optimizer.step()
    np.testing.assert_allclose(values(layer.weight), np.array(before) - 1.0, rtol=1e-5)


@both
def test_conversions_and_copies(m: Any) -> None:
    conv, norm = m.nn.LazyConv2d(4, 3), m.nn.LazyBatchNorm2d()
    double = copy.deepcopy(conv).double()
    assert double(m.ones(2, 3, 5, 5, dtype=m.float64)).dtype == m.float64
    for other in (copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))):
        other(m.ones(2, 3, 5, 5))
        assert other.weight.shape == (4, 3, 3, 3)
    other = pickle.loads(pickle.dumps(norm))
    other(m.ones(2, 3, 5, 5))
    assert other.running_mean.shape == (3,)
    assert type(other) is m.nn.BatchNorm2d
    assert conv.has_uninitialized_params()
    assert norm.has_uninitialized_params()


@both
def test_own_lazy_module(m: Any) -> None:
    class Scale(m.nn.modules.lazy.LazyModuleMixin, m.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = m.nn.UninitializedParameter()

        def initialize_parameters(self, x: Any, twice: bool = False) -> None:
            if self.has_uninitialized_params() and not twice:
                self.weight.materialize(x.shape[-1:])
                m.nn.init.constant_(self.weight, 2.0)

        def forward(self, x: Any, twice: bool = False) -> Any:
            return x * self.weight

    with pytest.raises(RuntimeError, match="Scale has not been fully initialized"):
        Scale()(m.ones(2, 3), twice=True)
    module = Scale()
    assert values(module(m.ones(3))) == [2.0, 2.0, 2.0]
    assert type(module) is Scale
    assert module.cls_to_become is None


@both
@pytest.mark.parametrize(
    "name, args, shape, error",
    [
        ("LazyConv2d", (4, 3), (5, 5), RuntimeError),
        ("LazyConv2d", (4, 3, 1, 0, 1, 2), (1, 3, 5, 5), ValueError),
        ("LazyLinear", (3,), (), IndexError),
        ("LazyBatchNorm2d", (), (2, 3), ValueError),
    ],
)
def test_bad_inputs(m: Any, name: str, args: tuple, shape: tuple, error: type) -> None:
    with pytest.raises(error):
        getattr(m.nn, name)(*args)(m.ones(shape))
