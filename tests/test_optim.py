"""Optimizers against PyTorch: values over many steps."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.nn.parameter import Parameter

torch = pytest.importorskip("torch")

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.3, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.3}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "alpha": 0.9, "maximize": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 1e-6}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"momentum_decay": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"betas": (0.4, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"weight_decay": 0.1, "maximize": True, "eps": 1e-4}),
    ("RAdam", {"betas": (0.4, 0.95), "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adamax", {}),
    ("Adamax", {"betas": (0.4, 0.9), "weight_decay": 0.1, "maximize": True, "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lambd": 0.1, "alpha": 0.5, "t0": 10, "weight_decay": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.7), "step_sizes": (0.005, 0.05), "maximize": True}),
]
SHAPES = [(3, 5), (17,), (), (0, 2), (2, 3, 4), (1,)]


def parameter(array, transposed=False):
    t = mg.Tensor._from_array(array.T.copy().T if transposed else array.copy())
    return Parameter(t)


def grads_of(p, step, which):
    rng = np.random.default_rng([step, which])
    return np.asarray(rng.standard_normal(p.shape)).astype(p.dtype)


def run(name, options, dtype=np.float32, steps=50, transposed=False):
    rng = np.random.default_rng(0)
    start = [np.asarray(rng.standard_normal(s)).astype(dtype) for s in SHAPES]
    ours = [parameter(a, transposed) for a in start]
    theirs = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in start]
    opt = getattr(optim, name)(ours, **options)
    ref = getattr(torch.optim, name)(theirs, **options)
    for step in range(steps):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            if (step + i) % 7 == 3:  # a parameter that had no part in this step
                p.grad = q.grad = None
                continue
            g = grads_of(start[i], step, i)
            p.grad = mg.Tensor._from_array(g.copy())
            q.grad = torch.from_numpy(g.copy())
        opt.step()
        ref.step()
    return opt, ref, ours, theirs


def assert_same_state(opt, ref, rtol, atol):
    ours, theirs = opt.state_dict(), ref.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for key, state in theirs["state"].items():
        assert list(ours["state"][key]) == list(state)
        for name, value in state.items():
            mine = ours["state"][key][name]
            assert str(mine.dtype) == str(value.dtype)
            np.testing.assert_allclose(mine.numpy(), value.numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_fifty_steps_equal_pytorch(name, options, dtype):
    rtol, atol = (2e-5, 2e-6) if dtype is np.float32 else (1e-12, 1e-13)
    opt, ref, ours, theirs = run(name, options, dtype)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=rtol, atol=atol)
    assert_same_state(opt, ref, rtol, atol)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_half_precision_is_pytorchs_to_its_rounding(name, options, dtype):
    start = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    found = []
    for lib in (mg, torch):
        p = lib.from_numpy(start.copy()).to(getattr(lib, dtype)).requires_grad_()
        # PyTorch's default rounds after every operation; its fused steps round once, as ours do.
        # (It has none for RMSprop, and that of SGD leaves half-precision elements out.)
        fused = {"fused": True} if name in ("Adam", "AdamW", "Adagrad") else {}
        opt = getattr(lib.optim, name)([p], **options, **fused)
        for step in range(10):
            p.grad = lib.from_numpy(grads_of(start, step, 0)).to(getattr(lib, dtype))
            opt.step()
        found.append(p.detach().float().numpy())
        for value in opt.state[p].values():
            assert str(value.dtype).split(".")[1] in (dtype, "float32")
    eps = 2**-8 if dtype == "bfloat16" else 2**-11
    tolerance = (2 if fused else 8) * eps
    np.testing.assert_allclose(found[0], found[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_options_may_change_between_steps(name):
    start = np.linspace(-1, 1, 7, dtype=np.float64)
    found = []
    for lib in (mg, torch):
        p = lib.from_numpy(start.copy()).requires_grad_()
        opt = getattr(lib.optim, name)([p], lr=0.1)
        (group,) = opt.param_groups
        for step in range(8):
            p.grad = lib.from_numpy(grads_of(start, step, 0))
            group.update(lr=0.1 / (step + 1), weight_decay=0.1 * step, maximize=step % 2 == 1)
            changes = {"momentum": 0.9, "betas": (0.5, 0.9), "eps": 1e-3, "alpha": 0.5}
            if step == 3 and name != "RMSprop":  # whose momentum buffers are made at the start
                group.update({k: v for k, v in changes.items() if k in group})
            opt.step()
        found.append(p.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES[::3])
def test_layouts_that_the_kernel_refuses_give_the_same(name, options):
    _, _, plain, _ = run(name, options, np.float64, steps=5)
    _, _, other, _ = run(name, options, np.float64, steps=5, transposed=True)
    assert not other[0].detach().numpy().flags.c_contiguous
    for p, q in zip(plain, other, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_lion_is_its_formula(dtype):
    rng = np.random.default_rng(0)
    p, m = rng.standard_normal(37).astype(dtype), np.zeros(37, dtype)
    mine = parameter(p)
    opt = optim.Lion([mine], lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)
    for step in range(20):
        g = grads_of(p, step, 0)
        mine.grad = mg.Tensor._from_array(g.copy())
        opt.step()
        p = p - 0.01 * (np.sign(0.8 * m + 0.2 * g) + 0.1 * p)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(mine.detach().numpy(), p, rtol=1e-5)
    np.testing.assert_allclose(opt.state[mine]["exp_avg"].numpy(), m, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=str)
def test_lamb_is_its_formula(dtype):
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(37).astype(dtype), np.zeros(5, dtype)]
    mine = [parameter(p) for p in weights]
    opt = optim.LAMB(mine, lr=0.01, weight_decay=0.1)
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in weights]
    for step in range(1, 21):
        for i, p in enumerate(weights):
            g = grads_of(p, step, i)
            mine[i].grad = mg.Tensor._from_array(g.copy())
            m, v = (0.9 * moments[i][0] + 0.1 * g, 0.999 * moments[i][1] + 0.001 * g * g)
            moments[i] = m, v
            u = m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-6) + 0.1 * p
            norms = np.linalg.norm(p), np.linalg.norm(u)
            weights[i] = p - 0.01 * (norms[0] / norms[1] if norms[0] > 0 else 1.0) * u
        opt.step()
    for a, b in zip(mine, weights, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=1e-4, atol=1e-6)


def test_state_dict_goes_to_pytorch_and_back():
    for name, options in CASES:
        opt, ref, ours, theirs = run(name, options, np.float64, steps=3)
        state = opt.state_dict()
        as_torch = copy.deepcopy(state)
        for values in as_torch["state"].values():
            for key, value in values.items():
                values[key] = torch.from_numpy(value.numpy())
        ref.load_state_dict(as_torch)
        new = getattr(optim, name)(ours, **options)
        new.load_state_dict(state)
        assert_same_state(new, ref, 1e-12, 1e-13)
