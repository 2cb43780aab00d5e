"""Module, Parameter and containers: registration, state, hooks, conversion, errors."""

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.block = nn.Sequential(nn.ReLU(), nn.Linear(3, 1, bias=False))
        self.scale = nn.Parameter(mg.ones(1))
        self.register_buffer("count", mg.zeros(1))
        self.register_buffer("cache", mg.zeros(2), persistent=False)
        self.extra = nn.Buffer(mg.ones(2), persistent=False)
        self.register_parameter("none", None)

    def forward(self, x, *, shift=0.0):
        return self.block(self.fc(x)) * self.scale + shift


def test_names_and_order():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale", "fc.weight", "fc.bias", "block.1.weight",
    ]  # fmt: skip
    assert [n for n, _ in net.named_parameters("m", recurse=False)] == ["m.scale"]
    assert [n for n, _ in net.named_buffers()] == ["count", "cache", "extra"]
    assert [n for n, _ in net.named_modules()] == ["", "fc", "block", "block.0", "block.1"]
    assert [n for n, _ in net.named_children()] == ["fc", "block"]
    assert list(net.state_dict()) == ["scale", "count", "fc.weight", "fc.bias", "block.1.weight"]
    assert len(list(net.modules())) == 5 and len(list(net.children())) == 2
    net.again = net.fc
    assert len(list(net.named_parameters())) == 4
    assert len(list(net.named_parameters(remove_duplicate=False))) == 6


def test_attributes_and_registries_stay_in_step():
    net = Net()
    assert net._parameters["scale"] is net.scale
    new = nn.Parameter(mg.zeros(1))
    net._parameters["scale"] = new
    assert net.scale is new
    del net._parameters["scale"]
    assert not hasattr(net, "scale")
    net._modules["fc"] = nn.Identity()
    assert isinstance(net.fc, nn.Identity)
    net._modules = OrderedDict(fc=net.block)
    assert net.fc is not None and not hasattr(net, "block")
    net.fc = None
    assert net.fc is None and "fc" in net._modules
    del net.fc
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'fc'"):
        net.fc  # noqa: B018
    net.count = None
    assert net._buffers["count"] is None
    net.cache = mg.ones(3)
    assert net._buffers["cache"] is net.cache and "cache" not in net.state_dict()


def test_what_an_assignment_replaces():
    net = Net()
    net.fc_out = 5
    net.fc_out = nn.Linear(1, 1)
    assert "fc_out" in net._modules
    net.fc_out = nn.Parameter(mg.ones(1))
    assert "fc_out" in net._parameters and "fc_out" not in net._modules
    for name, value, message in [
        ("scale", 3, "cannot assign 'int' as parameter 'scale'"),
        ("fc", mg.ones(1), "cannot assign 'torch.FloatTensor' as child module 'fc'"),
        ("count", "x", "cannot assign 'str' as buffer 'count'"),
    ]:
        with pytest.raises(TypeError, match=message):
            setattr(net, name, value)
    before = nn.Module.__new__(nn.Module)
    with pytest.raises(AttributeError, match="before Module.__init__"):
        before.w = nn.Parameter(mg.ones(1))
    with pytest.raises(AttributeError, match="before Module.__init__"):
        before.m = nn.Identity()
    with pytest.raises(TypeError, match="unexpected keyword argument 'a'"):
        nn.Module(a=1)


@pytest.mark.parametrize("method", ["register_buffer", "register_parameter", "add_module"])
def test_registration_errors_are_pytorchs(method):
    value = {"register_buffer": None, "register_parameter": None, "add_module": None}[method]
    for name in ("a.b", "", "training", 3):
        found = []
        for lib in (mg, torch):
            with pytest.raises((KeyError, TypeError)) as error:
                getattr(lib.nn.Module(), method)(name, value)
            found.append((error.type, str(error.value)))
        assert found[0] == found[1]


def test_looking_up():
    net = Net()
    assert net.get_submodule("block.1") is net.block[1] and net.get_submodule("") is net
    assert net.get_parameter("block.1.weight") is net.block[1].weight
    assert net.get_buffer("count") is net.count
    for method, target in [
        ("get_submodule", "block.7"), ("get_submodule", "scale"), ("get_parameter", "count"),
        ("get_buffer", "scale"), ("get_parameter", "fc.nothing"),
    ]:  # fmt: skip
        with pytest.raises(AttributeError):
            getattr(net, method)(target)
    net.set_submodule("block.1", nn.Identity())
    assert isinstance(net.block[1], nn.Identity)
    with pytest.raises(AttributeError):
        net.set_submodule("block.9", nn.Identity(), strict=True)


def test_loading_and_its_messages():
    net, other = Net(), Net()
    result = other.load_state_dict(net.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    np.testing.assert_array_equal(other.fc.weight.detach().numpy(), net.fc.weight.detach().numpy())
    assert other.fc.weight is not net.fc.weight

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(2, 3)

    class Ours(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 3)

    Theirs.__name__ = "Ours"
    found = []
    for lib, model in ((mg, Ours()), (torch, Theirs())):
        bad = {"fc.weight": lib.ones(2, 2), "more": lib.ones(1), "fc.deep.x": lib.ones(1)}
        with pytest.raises(RuntimeError) as error:
            model.load_state_dict(bad)
        found.append(str(error.value))
        with pytest.raises(TypeError, match="dict-like"):
            model.load_state_dict([1])
        del bad["fc.weight"]
        loose = model.load_state_dict(bad, strict=False)
        found.append((loose.missing_keys, loose.unexpected_keys, repr(loose)))
    assert found[:2] == found[2:]


def test_loading_by_assignment():
    net = Net()
    state = OrderedDict((k, v.clone()) for k, v in net.state_dict().items())
    net.load_state_dict(state, assign=True)
    assert isinstance(net.fc.weight, nn.Parameter) and net.fc.weight.requires_grad
    assert np.shares_memory(net.fc.weight.detach().numpy(), state["fc.weight"].numpy())


def test_loading_is_a_write_that_backward_notices():
    net = nn.Linear(2, 2)
    y = (net.weight * net.weight).sum()
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_extra_state_and_state_hooks():
    class Extra(nn.Module):
        def get_extra_state(self):
            return {"x": 1}

        def set_extra_state(self, state):
            self.seen = state

    m = Extra()
    m.register_state_dict_post_hook(lambda m, d, p, meta: d.update(hook=mg.ones(1)))
    m.register_load_state_dict_pre_hook(lambda m, d, *rest: d.pop("hook"))
    m.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.append("late"))
    state = m.state_dict()
    assert state["_extra_state"] == {"x": 1}
    assert m.load_state_dict(state, strict=False).missing_keys == ["late"]
    assert m.seen == {"x": 1}


def test_forward_hooks():
    net = nn.Linear(2, 2)
    calls = []
    x = mg.ones(1, 2)
    net.register_forward_hook(lambda m, args, out: calls.append("post"))
    first = net.register_forward_hook(lambda m, args, out: out * 0, prepend=True)
    net.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    assert net(x).sum().item() == 0 and calls == ["post"]
    first.remove()
    np.testing.assert_allclose(net(x).detach().numpy(), net.forward(x * 2).detach().numpy())

    class Kw(nn.Module):
        def forward(self, x, *, k=0):
            if k < 0:
                raise ValueError("negative")
            return x + k

    m = Kw()
    m.register_forward_pre_hook(lambda m, a, k: (a, {"k": k["k"] + 1}), with_kwargs=True)
    m.register_forward_hook(
        lambda m, a, k, out: calls.append(k), with_kwargs=True, always_call=True
    )
    assert m(mg.zeros(1), k=1).item() == 2 and calls[-1] == {"k": 2}
    with pytest.raises(ValueError, match="negative"):
        m(mg.zeros(1), k=-5)
    assert calls[-1] == {"k": -4}
    m.register_forward_pre_hook(lambda m, a, k: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match="None or a tuple of"):
        m(mg.zeros(1), k=1)


def test_global_hooks():
    from minigrad.nn.modules.module import register_module_forward_hook

    calls = []
    handle = register_module_forward_hook(lambda m, args, out: calls.append(type(m).__name__))
    nn.Sequential(nn.Identity(), nn.ReLU())(mg.ones(1))
    handle.remove()
    nn.Identity()(mg.ones(1))
    assert calls == ["Identity", "ReLU", "Sequential"]


def test_full_backward_hooks_equal_pytorch():
    found = []
    for lib in (mg, torch):
        lib.manual_seed(0)
        m = lib.nn.Linear(2, 3).double()
        seen = []
        m.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
        m.register_full_backward_hook(
            lambda m, gi, go, seen=seen: seen.append((gi[0].tolist(), go[0].tolist()))
        )
        m.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        x = lib.ones(2, 2, dtype=lib.float64).requires_grad_()
        m(x).sum().backward()
        found.append((seen, x.grad.tolist(), m.weight.grad.tolist()))
    np.testing.assert_allclose(found[0][0][0][0], found[1][0][0][0])
    np.testing.assert_allclose(found[0][0][0][1], found[1][0][0][1])
    np.testing.assert_allclose(found[0][1], found[1][1])
    np.testing.assert_allclose(found[0][2], found[1][2])
    m = nn.Linear(2, 3)
    m.register_full_backward_hook(lambda m, gi, go: found.append(gi))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        m(mg.ones(2)).sum().backward()
    assert found[-1] == (None,)
    with pytest.raises(RuntimeError, match="Cannot use both"):
        m.register_backward_hook(lambda *a: None)


def test_conversion_keeps_the_parameters():
    net = Net()
    params = list(net.parameters())
    net(mg.ones(1, 2)).sum().backward()
    assert net.double() is net
    assert all(p is q for p, q in zip(net.parameters(), params, strict=True))
    assert net.fc.weight.dtype == mg.float64 and net.fc.weight.grad.dtype == mg.float64
    assert net.count.dtype == mg.float64
    assert net.to(mg.bfloat16).fc.bias.dtype == mg.bfloat16
    assert net.to(mg.ones(1)).fc.bias.dtype == mg.float32
    assert net.half().to("cpu", dtype=mg.float32).cpu().scale.dtype == mg.float32
    bn = nn.BatchNorm1d(2).double()
    assert bn.num_batches_tracked.dtype == mg.int64
    with pytest.raises(TypeError, match="floating point"):
        net.to(mg.int32)
    with pytest.raises(RuntimeError, match="cuda"):
        net.cuda()


def test_modes_gradients_apply():
    net = Net()
    assert net.eval() is net and not net.block[0].training and net.train().fc.training
    with pytest.raises(ValueError, match="boolean"):
        net.train("yes")
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net(mg.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.item() == 0
    net.zero_grad()
    assert net.scale.grad is None
    seen = []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)


def test_copies_and_pickles():
    net = Net()
    net.register_forward_hook(_hook)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(twin) == repr(net)
        assert twin.fc.weight is not net.fc.weight
        assert twin._parameters["scale"] is twin.scale
        x = mg.ones(1, 2)
        np.testing.assert_array_equal(twin(x).detach().numpy(), net(x).detach().numpy())
        twin._parameters["scale"] = nn.Parameter(mg.zeros(1))
        assert twin(x).item() == 0 and net.scale.item() == 1
        assert not isinstance(twin.cache, nn.Parameter) and "cache" not in twin.state_dict()


def _hook(module, args, out):
    return None


def test_modules_are_freed_without_the_collector():
    gc.disable()
    try:
        net = Net()
        net(mg.ones(1, 2))
        ref = weakref.ref(net)
        del net
        assert ref() is None
    finally:
        gc.enable()


def test_getattr_of_subclasses():
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.inner, name)

    assert Wrapper(nn.Linear(2, 3)).in_features == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nn.Identity().nothing  # noqa: B018


def test_parameter_and_buffer():
    data = mg.ones(2)
    p = nn.Parameter(data)
    assert p.requires_grad and p.is_leaf and isinstance(p, mg.Tensor)
    assert np.shares_memory(p.detach().numpy(), data.numpy())
    assert repr(p) == repr(torch.nn.Parameter(torch.ones(2)))
    assert type(p * 2) is mg.Tensor and not isinstance(p * 2, nn.Parameter)
    assert not nn.Parameter(mg.ones(1, dtype=mg.int64), requires_grad=False).requires_grad
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(mg.ones(1, dtype=mg.int64))
    with pytest.raises(AttributeError, match="needed: a Tensor"):
        nn.Parameter([1.0])
    assert nn.Parameter().shape == (0,)
    p.mark = "x"
    q = pickle.loads(pickle.dumps(p))
    assert type(q) is nn.Parameter and q.requires_grad and q.mark == "x"
    b = nn.Buffer(mg.ones(1))
    assert isinstance(b, nn.Buffer) and b.persistent and not b.requires_grad


SEQUENCES = [
    "S(R(), I())[1:]", "S(R(), I()) + S(T())", "S(R()) * 3", "S(R(), I()).insert(1, T())",
    "S(R()).extend([I(), T()])", "S(O([('a', R()), ('b', I())]))", "S(R()).append(I())",
    "L([R(), R(), I()])", "L([R()]) + [I()]", "L([R(), I(), T()])[::2]", "L()",
    "L([S(R()), S(R())])", "D({'a': R(), 'b': I()})", "D([('x', R())])", "S()",
    "L([R()]).extend([T()])",
]  # fmt: skip


@pytest.mark.parametrize("call", SEQUENCES)
def test_containers_print_as_pytorchs(call):
    found = []
    for lib in (mg.nn, torch.nn):
        names = {
            "S": lib.Sequential, "L": lib.ModuleList, "D": lib.ModuleDict, "R": lib.ReLU,
            "I": lib.Identity, "T": lib.Tanh, "O": OrderedDict,
        }  # fmt: skip
        found.append(repr(eval(call, names)))
    assert found[0] == found[1]


def test_containers():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Identity()
    s = nn.Sequential(a, b, c)
    assert len(s) == 3 and s[-1] is c and list(s) == [a, b, c]
    assert s.pop(0) is a and list(s._modules) == ["0", "1"] and s[0] is b
    del s[0]
    assert list(s) == [c]
    s[0] = a
    assert s[0] is a
    with pytest.raises(IndexError):
        s[4]
    with pytest.raises(ValueError, match="Non-positive"):
        s * 0
    m = nn.ModuleList([a])
    m.insert(0, b)
    assert list(m) == [b, a]
    with pytest.raises(TypeError, match="iterable"):
        m.extend(3)
    d = nn.ModuleDict({"a": a})
    d["b"] = b
    assert list(d) == ["a", "b"] and "a" in d and d.pop("a") is a and len(d) == 1
    with pytest.raises(KeyError, match="attribute 'items' already exists"):
        d["items"] = a


def test_parameter_containers():
    p = nn.ParameterList([mg.ones(1), nn.Parameter(mg.ones(2)), "x"])
    assert isinstance(p[0], nn.Parameter) and p[2] == "x" and len(p) == 3
    assert list(p.state_dict()) == ["0", "1"]
    theirs = torch.nn.ParameterList([torch.ones(1), torch.nn.Parameter(torch.ones(2)), "x"])
    assert repr(p) == repr(theirs)
    with pytest.raises(RuntimeError, match="should not be called"):
        p()
    d = nn.ParameterDict({"b": mg.ones(1), "a": mg.ones(2)})
    theirs = torch.nn.ParameterDict({"b": torch.ones(1), "a": torch.ones(2)})
    assert repr(d) == repr(theirs)
    assert list(d) == ["a", "b"] and d.get("c") is None
    assert d.popitem()[0] == "b" and len(d) == 1
    assert d.setdefault("z", mg.ones(3)).shape == (3,)
    with pytest.raises(TypeError, match="not a string"):
        d[3] = mg.ones(1)
