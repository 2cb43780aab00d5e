"""Optimizers against PyTorch: values over many steps, state dicts, groups, hooks, errors."""

import copy
import importlib
import pickle

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


def quadratic(cls, **options):
    p = Parameter(mg.tensor([1.0, -2.0]))
    return p, cls([p], **options)


def values(t):
    return t.detach().numpy().tolist()


def backward(p):
    loss = (p * p).sum()
    loss.backward()
    return loss


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


def test_loading_converts_state_but_not_the_step():
    p, opt = quadratic(optim.Adam)
    backward(p)
    opt.step()
    wide = Parameter(mg.tensor([1.0, 2.0], dtype=mg.float64))
    new = optim.Adam([wide], lr=0.5)
    new.load_state_dict(opt.state_dict())
    assert new.state[wide]["exp_avg"].dtype == mg.float64
    assert new.state[wide]["step"].dtype == mg.float32
    assert new.param_groups[0]["lr"] == 1e-3
    with pytest.raises(ValueError, match="different number of parameter groups"):
        new.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size"):
        new.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})


def test_a_state_of_another_size_is_refused():
    p, opt = quadratic(optim.Adam)
    backward(p)
    opt.step()
    wide = Parameter(mg.ones(3))
    new = optim.Adam([wide])
    new.load_state_dict(opt.state_dict())
    wide.grad = mg.ones(3)
    with pytest.raises(RuntimeError, match=r"exp_avgs\[0\] is float32 \(2,\)"):
        new.step()
    assert values(wide) == [1.0, 1.0, 1.0]


def test_old_state_dicts_have_a_number_for_the_step():
    p, opt = quadratic(optim.Adam)
    backward(p)
    opt.step()
    state = opt.state_dict()
    state["state"][0]["step"] = 4
    opt.load_state_dict(state)
    assert opt.state[p]["step"].item() == 4.0


def test_pickling_and_deepcopy():
    p, opt = quadratic(optim.SGD, lr=0.1, momentum=0.9)
    backward(p)
    opt.step()
    for twin in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        (q,) = twin.param_groups[0]["params"]
        assert q is not p and values(q) == values(p)
        assert twin.state[q]["momentum_buffer"].numpy().tolist() == [2.0, -4.0]
        q.grad = mg.tensor([1.0, 1.0])
        twin.step()


def test_groups():
    a, b = Parameter(mg.ones(2)), Parameter(mg.ones(2))
    opt = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1)
    a.grad, b.grad = mg.ones(2), mg.ones(2)
    opt.step()
    np.testing.assert_allclose(a.detach().numpy(), 0.9)
    np.testing.assert_allclose(b.detach().numpy(), 0.5)
    c = Parameter(mg.ones(1))
    opt.add_param_group({"params": c, "momentum": 0.9})
    assert opt.param_groups[2]["lr"] == 0.1
    with pytest.raises(ValueError, match="more than one parameter group"):
        opt.add_param_group({"params": [c]})
    with pytest.raises(TypeError, match="param_group must be a dict"):
        opt.add_param_group([c])


def test_named_parameters():
    a, b = Parameter(mg.ones(2)), Parameter(mg.ones(2))
    opt = optim.Adam([("a", a), ("b", b)])
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]
    with pytest.raises(ValueError, match="with/without names"):
        optim.Adam([("a", a), b])


def test_bad_arguments():
    p = Parameter(mg.ones(2))
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(p)
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {p}}])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([p * 2])
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.Adam([p], lr=-1)
    with pytest.raises(ValueError, match="index 1: 1.0"):
        optim.Adam([p], betas=(0.9, 1.0))
    with pytest.raises(TypeError, match="learning rate: 'a' .str.; needed: a number"):
        optim.Adam([p], lr="a")
    with pytest.raises(ValueError, match="betas.0. as a Tensor is not supported"):
        optim.Adam([p], betas=(mg.tensor(0.5), mg.tensor(0.5)), foreach=True)
    with pytest.raises(ValueError, match="Nesterov"):
        optim.SGD([p], nesterov=True)
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.SGD([p], differentiable=True)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])


def test_closure_and_hooks():
    p, opt = quadratic(optim.SGD, lr=0.25)
    calls = []
    opt.register_step_pre_hook(lambda o, args, kwargs: calls.append("pre"))
    handle = opt.register_step_post_hook(lambda o, args, kwargs: calls.append("post"))

    def closure():
        calls.append("closure")
        opt.zero_grad()
        return backward(p)

    with mg.autograd.no_grad():
        assert opt.step(closure).item() == 5.0
    assert calls == ["pre", "closure", "post"]
    assert values(p) == [0.5, -1.0]
    handle.remove()
    opt.step(closure=closure)
    assert calls[3:] == ["pre", "closure"]
    opt.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    assert opt.state_dict()["more"] == 1


def own_optimizers(lib):
    """Optimizers in the idioms of PyTorch programs."""
    required = importlib.import_module(f"{lib.__name__}.optim.optimizer").required

    class Halve(lib.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data = p.data * 0.5
            return "done"

    class Momentum(lib.optim.Optimizer):
        def __init__(self, params, lr=required, momentum=0.9, decay=0.1):
            super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

        def __setstate__(self, state):
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("decay", 0.0)

        @lib.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with lib.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    grad = p.grad.add(p, alpha=group["decay"])
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["buffer"] = lib.zeros_like(p, memory_format=lib.preserve_format)
                    state["step"] += 1
                    state["buffer"].mul_(group["momentum"]).add_(grad)
                    p.addcdiv_(state["buffer"], grad.abs().add_(0.1), value=-group["lr"])
            return loss

    class OldStyle(lib.optim.SGD):
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.add_(p.grad.data, alpha=0.5)
            return super().step(closure)

    return Halve, Momentum, OldStyle


def test_user_optimizers():
    found = []
    for lib in (mg, torch):
        halve, momentum, old = own_optimizers(lib)
        p = lib.nn.Parameter(lib.tensor([1.0, -2.0, 3.0], dtype=lib.float64))
        q = lib.nn.Parameter(lib.tensor([0.5], dtype=lib.float64))
        assert halve([p, q]).step() == "done"
        with pytest.raises(ValueError, match="required optimization parameter lr"):
            momentum([p])
        first = momentum([{"params": [p], "lr": 0.05}, {"params": q}], lr=0.1)
        first.param_groups[0]["lr"] = 0.2
        schedule = lib.optim.lr_scheduler.StepLR(first, 2, 0.5)
        second = old([p], lr=0.1, momentum=0.9)
        losses = []
        for optimizer in (first, second, first, second, first):

            def closure(p=p, q=q, optimizer=optimizer):
                optimizer.zero_grad()
                loss = (p * p).sum() * (1 + q * q).sum()
                loss.backward()
                return loss

            if optimizer is second:
                closure()
                optimizer.step()
            else:
                losses.append(optimizer.step(closure).item())
                schedule.step()
        twin = momentum([p, q], lr=1.0)
        twin.add_param_group({"params": [lib.nn.Parameter(lib.ones(1))]})
        state = copy.deepcopy(first.state_dict())
        twin.param_groups.pop()
        with pytest.raises(ValueError, match="different number of parameter groups"):
            twin.load_state_dict(state)
        found.append([*losses, *p.tolist(), *q.tolist(), first.state[p]["step"]])
        found[-1] += first.state[p]["buffer"].tolist()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_swapping_parameters_in():
    found = []
    for lib in (mg, torch):
        p = lib.tensor([1.0, 2.0]).requires_grad_()
        opt = lib.optim.Adam([p], lr=0.1)
        swap = lib.optim.swap_in_optimizer_params_and_state
        q = lib.tensor([3.0, 4.0]).requires_grad_()
        q.grad = lib.ones(2)
        with pytest.raises(RuntimeError), swap(opt, {"p": q}, opt.state_dict()):
            pass  # no state yet
        p.grad = lib.ones(2)
        opt.step()
        state = copy.deepcopy(opt.state_dict())
        state["param_groups"][0]["lr"] = 1.0
        with swap(opt, {"p": q}, state):
            assert opt.param_groups[0]["params"][0] is q
            opt.step()
        assert opt.param_groups[0]["params"][0] is p and opt.param_groups[0]["lr"] == 0.1
        found.append([*p.tolist(), *q.tolist(), state["state"][0]["step"].item()])
        found[-1] += opt.state[p]["exp_avg"].tolist() + state["state"][0]["exp_avg"].tolist()
        for broken in (
            3,
            {"state": {p: {}}, "param_groups": state["param_groups"]},
            {"state": {0: 1}, "param_groups": state["param_groups"]},
            {"state": {5: {}}, "param_groups": state["param_groups"]},
            {"state": [], "param_groups": state["param_groups"]},
            {"state": {}, "param_groups": []},
            {"state": {}, "param_groups": [{"params": [0]}]},
            {"state": {}, "param_groups": [{**state["param_groups"][0], "params": [0, 1]}]},
        ):
            with pytest.raises(RuntimeError), swap(opt, {"p": q}, broken):
                pass
        with pytest.raises(RuntimeError), swap(opt, {}, state):
            pass
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_zero_grad():
    p, opt = quadratic(optim.SGD)
    backward(p)
    grad = p.grad
    opt.zero_grad(set_to_none=False)
    assert p.grad is grad and values(grad) == [0.0, 0.0]
    opt.zero_grad()
    assert p.grad is None


def test_repr_is_pytorchs():
    p, opt = quadratic(optim.AdamW)
    assert repr(opt) == repr(torch.optim.AdamW([torch.ones(2, requires_grad=True)]))
    opt.add_param_group({"params": [mg.ones(1)], "lr": 0.5})
    a, b = torch.ones(2, requires_grad=True), torch.ones(1)
    assert repr(opt) == repr(torch.optim.AdamW([{"params": [a]}, {"params": [b], "lr": 0.5}]))


def test_a_step_is_a_write_that_backward_notices():
    p = Parameter(mg.ones(2))
    y = (p * p).sum()
    p.grad = mg.ones(2)
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_lr_may_be_a_tensor():
    p, opt = quadratic(optim.Adam, lr=mg.tensor(0.1))
    q, ref = quadratic(optim.Adam, lr=0.1)
    for x, o in ((p, opt), (q, ref)):
        backward(x)
        o.step()
    np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6)
