"""LBFGS, Adafactor, Muon: optimizers that are more than a rule for each element, by PyTorch."""

import copy

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

VECTORS = [(3, 5), (17,), (), (2, 3, 4), (1,), (4, 1)]
MATRICES = [(3, 5), (8, 2), (1, 4), (20, 30)]
CASES = [
    ("Adafactor", VECTORS, {}),
    ("Adafactor", VECTORS, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", VECTORS, {"eps": (1e-3, 0.1), "d": 2.0, "beta2_decay": -0.5}),
    ("Muon", MATRICES, {}),
    ("Muon", MATRICES, {"lr": 0.1, "nesterov": False, "momentum": 0.8}),
    ("Muon", MATRICES, {"adjust_lr_fn": "match_rms_adamw", "ns_steps": 3, "weight_decay": 0.0}),
]
TOLERANCE = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 2e-2, "float16": 4e-3}


def normal(shape, *seed):
    return np.array(np.random.default_rng(seed).standard_normal(shape))


def make(lib, name, shapes, options, dtype):
    params = [
        lib.from_numpy(normal(shape, i)).to(getattr(lib, dtype)).requires_grad_()
        for i, shape in enumerate(shapes)
    ]
    return params, getattr(lib.optim, name)(params, **options)


def advance(lib, params, optimizer, steps):
    for step in steps:
        for i, p in enumerate(params):
            p.grad = lib.from_numpy(normal(tuple(p.shape), step, i)).to(p.dtype)
        optimizer.step()


def close(a, b, tolerance):
    np.testing.assert_allclose(
        a.detach().double().numpy(), b.detach().double().numpy(), rtol=tolerance, atol=tolerance
    )


def same_state(mine, theirs, tolerance):
    assert mine["param_groups"] == theirs["param_groups"]
    assert mine["state"].keys() == theirs["state"].keys()
    for key, state in theirs["state"].items():
        assert list(mine["state"][key]) == list(state)
        for name, value in state.items():
            assert str(mine["state"][key][name].dtype) == str(value.dtype)
            close(mine["state"][key][name], value, tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "shapes", "options"), CASES)
def test_thirty_steps_equal_pytorch(name, shapes, options, dtype):
    found = []
    for lib in (mg, torch):
        params, optimizer = make(lib, name, shapes, options, dtype)
        advance(lib, params, optimizer, range(30))
        found.append((params, optimizer.state_dict()))
    tolerance = TOLERANCE[dtype] * (4 if options.get("lr") == 0.1 else 1)
    for a, b in zip(found[0][0], found[1][0], strict=True):
        close(a, b, tolerance)
    same_state(found[0][1], found[1][1], tolerance)


@pytest.mark.parametrize(("name", "shapes", "options"), CASES)
def test_state_goes_to_pytorch_and_back(name, shapes, options):
    mine, ours = make(mg, name, shapes, options, "float64")
    advance(mg, mine, ours, range(3))
    theirs, ref = make(torch, name, shapes, options, "float64")
    with torch.no_grad():
        for p, q in zip(mine, theirs, strict=True):
            q.copy_(torch.from_numpy(p.detach().numpy()))
    ref.load_state_dict(converted(ours.state_dict(), torch))
    advance(torch, theirs, ref, range(3, 6))
    back, new = make(mg, name, shapes, options, "float64")
    with mg.no_grad():
        for p, q in zip(theirs, back, strict=True):
            q.copy_(mg.from_numpy(p.detach().numpy()))
    new.load_state_dict(converted(ref.state_dict(), mg))
    advance(mg, mine, ours, range(3, 8))
    advance(mg, back, new, range(6, 8))
    for p, q in zip(mine, back, strict=True):
        close(p, q, 1e-10)


def converted(value, lib):
    """A state dict with the tensors of the other library."""
    if isinstance(value, dict):
        return {k: converted(v, lib) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(converted(v, lib) for v in value)
    if isinstance(value, (mg.Tensor, torch.Tensor)):
        return lib.from_numpy(np.array(value.detach().numpy()))
    return copy.deepcopy(value)


def rosenbrock(lib, z):
    return (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum()


def quartic(lib, z):
    return (z**4).sum() + (z * lib.arange(1, z.shape[0] + 1).to(z.dtype)).sum()


def minimise(lib, function, options, dtype, calls, before=None):
    start = lib.tensor([-1.5, 2.0, 0.3, 1.2], dtype=getattr(lib, dtype))
    a, b = (x.clone().requires_grad_() for x in (start[:2], start[2:]))
    unused = lib.ones(2, dtype=a.dtype).requires_grad_()
    optimizer = lib.optim.LBFGS([a, b, unused], **options)
    if before is not None:
        values, state = before
        with lib.no_grad():
            for p, v in zip((a, b), values, strict=True):
                p.copy_(lib.from_numpy(v))
        optimizer.load_state_dict(converted(state, lib))

    def closure():
        optimizer.zero_grad()
        loss = function(lib, lib.cat([a, b]))
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(calls)]
    return losses, [a.detach().numpy(), b.detach().numpy()], optimizer.state_dict()


LBFGS = [
    {"lr": 1e-3},
    {"lr": 1e-3, "max_iter": 5, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 3, "max_iter": 7},
    {"line_search_fn": "strong_wolfe", "max_eval": 4, "lr": 0.1},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1.0},
    {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-3},
]


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@pytest.mark.parametrize("function", [rosenbrock, quartic])
@pytest.mark.parametrize("options", LBFGS)
def test_lbfgs_equals_pytorch(options, function):
    mine, theirs = (minimise(lib, function, options, "float64", 5) for lib in (mg, torch))
    np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-9, atol=1e-12)
    for a, b in zip(mine[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    ours, other = mine[2]["state"][0], theirs[2]["state"][0]
    assert list(ours) == list(other)
    for key in ("func_evals", "n_iter"):
        assert ours[key] == other[key]
    for key in ("old_dirs", "old_stps", "ro", "al"):
        assert [str(getattr(x, "dtype", None)) for x in ours.get(key, [])] == [
            str(getattr(x, "dtype", None)) for x in other.get(key, [])
        ]
        for a, b in zip(ours.get(key, []), other.get(key, []), strict=True):
            assert a is b is None or a.shape == tuple(b.shape)


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@pytest.mark.parametrize("options", LBFGS)
def test_lbfgs_state_continues_in_the_other_library(options):
    whole = minimise(torch, quartic, options, "float64", 4)
    for first, second in ((torch, mg), (mg, torch)):
        _, values, state = minimise(first, quartic, options, "float64", 2)
        after = minimise(second, quartic, options, "float64", 2, (values, state))
        np.testing.assert_allclose(after[0], whole[0][2:], rtol=1e-9, atol=1e-12)


def test_lbfgs_reaches_the_minimum_in_float32():
    losses, values, _ = minimise(mg, quartic, {"line_search_fn": "strong_wolfe"}, "float32", 3)
    want = -np.cbrt(np.arange(1, 5) / 4)
    np.testing.assert_allclose(np.concatenate(values), want, atol=2e-3)
    assert losses[0] > losses[1] >= losses[2]


ERRORS = [
    ("Muon", (3,), {}, ValueError, "Muon only supports 2D parameters .* size: torch.Size..3.."),
    ("Muon", (3, 2), {"lr": -1.0}, ValueError, "Learning rate should be >= 0 but is: -1.0"),
    ("Muon", (3, 2), {"momentum": -1.0}, ValueError, "momentum should be >= 0 but is: -1.0"),
    ("Muon", (3, 2), {"weight_decay": -1.0}, ValueError, "weight decay should be >= 0"),
    ("Muon", (3, 2), {"adjust_lr_fn": "x"}, ValueError, "function x is not supported"),
    ("Adafactor", (3,), {"beta2_decay": 1.0}, ValueError, "beta2_decay should be <= 0"),
    ("Adafactor", (3,), {"eps": (-1.0, 0.1)}, ValueError, "epsilon1 should be >= 0"),
    ("Adafactor", (3,), {"eps": (None, -0.1)}, ValueError, "epsilon2 should be >= 0"),
    ("Adafactor", (3,), {"d": 0.0}, ValueError, "Clipping threshold d should be >= 1"),
    ("Adafactor", (3,), {"weight_decay": -1.0}, ValueError, "weight_decay should be >= 0"),
    ("LBFGS", (3,), {"lr": -1.0}, ValueError, "Invalid learning rate: -1.0"),
    ("SparseAdam", (3,), {"lr": 0.0}, ValueError, "Invalid learning rate: 0.0"),
    ("SparseAdam", (3,), {"eps": 0.0}, ValueError, "Invalid epsilon value: 0.0"),
    ("SparseAdam", (3,), {"betas": (1.0, 0.9)}, ValueError, "parameter at index 0: 1.0"),
]


@pytest.mark.parametrize(("name", "shape", "options", "error", "message"), ERRORS)
def test_bad_arguments(name, shape, options, error, message):
    for lib in (mg, torch):
        with pytest.raises(error, match=message):
            getattr(lib.optim, name)([lib.ones(shape).requires_grad_()], **options)


def test_bad_steps():
    for lib in (mg, torch):
        p = lib.ones(2, 2).requires_grad_()
        p.grad = lib.ones(2, 2)
        with pytest.raises(RuntimeError, match="SparseAdam does not support dense gradients"):
            lib.optim.SparseAdam([p]).step()
        with pytest.raises(ValueError, match="Number of steps must be less than 100"):
            lib.optim.Muon([p], ns_steps=100).step()
        with pytest.raises(ValueError, match="exactly 3 values"):
            lib.optim.Muon([p], ns_coefficients=(1.0, 2.0)).step()
        with pytest.raises(ValueError, match="doesn't support per-parameter options"):
            lib.optim.LBFGS([{"params": [p]}, {"params": [lib.ones(1)]}])
        with pytest.raises(TypeError):
            lib.optim.LBFGS([p]).step()

        def closure(p=p):
            (p * p).sum().backward()
            return (p * p).sum().detach()

        with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
            lib.optim.LBFGS([p], line_search_fn="armijo").step(closure)
