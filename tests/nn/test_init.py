"""Initialisers against PyTorch: the same numbers for the same seed."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import init

torch = pytest.importorskip("torch")

SHAPES = [(3, 5), (20, 30), (4, 3, 5, 5), (6, 2, 3)]
CALLS = [
    ("uniform_", (), {}),
    ("uniform_", (-2.0, 3.0), {}),
    ("normal_", (1.0, 2.0), {}),
    ("constant_", (0.3,), {}),
    ("ones_", (), {}),
    ("zeros_", (), {}),
    ("xavier_uniform_", (), {"gain": 2.0}),
    ("xavier_normal_", (), {}),
    ("kaiming_uniform_", (), {"a": 5**0.5}),
    ("kaiming_uniform_", (), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", (0.2,), {}),
    ("trunc_normal_", (), {}),
    ("trunc_normal_", (), {"std": 0.02}),
    ("trunc_normal_", (), {"a": 1.0, "b": 1.5}),
    ("trunc_normal_", (0.5, 0.3, 0.4, 0.5), {}),
]


def both(name, shape, dtype, args=(), kwargs=None):
    results = []
    for lib, module in ((mg, init), (torch, torch.nn.init)):
        lib.manual_seed(7)
        t = lib.empty(shape, dtype=getattr(lib, dtype))
        assert getattr(module, name)(t, *args, **(kwargs or {})) is t
        results.append(t.numpy())
        results.append(lib.rand(1).numpy())  # as many numbers were drawn
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS)
def test_same_numbers(name, args, kwargs, shape, dtype):
    ours, next_ours, theirs, next_theirs = both(name, shape, dtype, args, kwargs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-8)
    np.testing.assert_array_equal(next_ours, next_theirs)


def test_matrices():
    for shape in [(5, 3), (3, 5), (4, 4)]:
        for name, args in (("eye_", ()), ("orthogonal_", (2.0,)), ("sparse_", (0.3,))):
            ours, next_ours, theirs, next_theirs = both(name, shape, "float64", args)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
            np.testing.assert_array_equal(next_ours, next_theirs)
    for shape, groups in [((4, 4, 3), 1), ((4, 2, 3, 3), 2), ((3, 4, 2, 4), 1)]:
        ours, _, theirs, _ = both("dirac_", shape, "float32", (groups,))
        np.testing.assert_array_equal(ours, theirs)


def test_a_generator_is_used_and_the_default_left_alone():
    mg.manual_seed(0)
    before = mg.get_rng_state()
    g = mg.Generator().manual_seed(3)
    t = init.kaiming_normal_(mg.empty(4, 5), generator=g)
    ref = torch.nn.init.kaiming_normal_(
        torch.empty(4, 5), generator=torch.Generator().manual_seed(3)
    )
    np.testing.assert_allclose(t.numpy(), ref.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(mg.get_rng_state().numpy(), before.numpy())


@pytest.mark.parametrize(
    "name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gains(name):
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_parameters_are_filled_outside_the_graph():
    p = mg.nn.Parameter(mg.zeros(2, 2))
    assert init.normal_(p) is p and p.requires_grad and p.is_leaf
    version = p._version
    init.ones_(p)
    assert p._version == version + 1


def test_bad_arguments():
    v = mg.zeros(3)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(v)
    with pytest.raises(ValueError, match="2 dimensions"):
        init.eye_(v)
    with pytest.raises(ValueError, match="3, 4, or 5"):
        init.dirac_(v)
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", True)
    with pytest.raises(ValueError, match="Mode fan_up not supported"):
        init.kaiming_normal_(mg.zeros(2, 2), mode="fan_up")
    with pytest.warns(UserWarning, match="no-op"):
        init.kaiming_uniform_(mg.zeros(0, 2))
    with pytest.warns(FutureWarning, match="xavier_normal_"):
        init.xavier_normal(mg.zeros(2, 2))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (64, 64), (65, 130), (200, 20, 4)])
def test_orthogonal_float32(shape):
    """The numbers of the decomposition in double precision, to float32's."""
    for gain in (1.0, 3.0):
        ours, next_ours, theirs, next_theirs = both("orthogonal_", shape, "float32", (gain,))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)  # theirs is in float32
        np.testing.assert_array_equal(next_ours, next_theirs)
        flat = ours.reshape(len(ours), -1) / gain
        flat = flat if flat.shape[0] < flat.shape[1] else flat.T
        np.testing.assert_allclose(flat @ flat.T, np.eye(len(flat)), atol=1e-6)


@pytest.mark.parametrize("close", [0.0, 1e-7, 1e-5, 1e-2])
def test_orthonormal_columns_of_matrices_near_singular(close):
    x = np.random.default_rng(0).standard_normal((90, 70)).astype(np.float32)
    x[:, 40] = x[:, 3] + np.float32(close) * x[:, 40]
    q = init._orthonormal(x)
    assert q.dtype == np.float32
    np.testing.assert_allclose(q.T @ q, np.eye(70), atol=2e-6)
    np.testing.assert_allclose(q @ (q.T @ x), x, atol=1e-4)
