"""What optimizers keep and how they are used: state dicts, groups, closures, hooks, errors."""

import copy
import importlib
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.nn.parameter import Parameter

torch = pytest.importorskip("torch")


def quadratic(cls, **options):
    p = Parameter(mg.tensor([1.0, -2.0]))
    return p, cls([p], **options)


def values(t):
    return t.detach().numpy().tolist()


def backward(p):
    loss = (p * p).sum()
    loss.backward()
    return loss


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
