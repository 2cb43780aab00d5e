"""Device 'meta': tensors with a shape and a type and no memory."""

from __future__ import annotations

import copy
import pickle

import pytest

import minigrad as mg
from minigrad import nn

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
HUGE = 10**12

SHOWN = """
t t.device t.shape t.dtype t.is_meta t.is_cpu t.stride() t.numel() t+1 t@t.T t.sum(0) t.view(3,2)
t.half() t.to(lib.float64) t.to('meta') t[:,0] t[None] t.expand(4,2,3).reshape(-1) t.new_ones(2)
lib.zeros_like(t) lib.zeros_like(t,device='cpu') lib.cat([t,t]) lib.stack([t,t],1) t.max(1)
lib.einsum('ij,kj->ik',t,t) lib.eye(2,device='meta') lib.arange(3,device='meta')
lib.tensor([1,2.],device='meta') lib.as_tensor([1],device='meta') lib.ones(2).to('meta')
lib.randint(0,3,(2,),device='meta') lib.randperm(3,device='meta')
lib.tril_indices(3,3,device='meta') lib.hann_window(4,device='meta')
lib.linspace(0,1,5,device='meta') lib.full((2,),1,device='meta')
lib.nn.Linear(2,3,device='meta').state_dict() lib.nn.Linear(2,3,device='meta').weight
lib.nn.init.xavier_uniform_(t) t.unsqueeze(0).squeeze_() lib.equal(lib.ones(1),lib.ones(1))
lib.split(t,1) [r.shape[0]for(r)in(t)] lib.nn.functional.softmax(t,1) t.requires_grad_()*2>1
lib.nn.functional.cross_entropy(t,lib.empty(2,dtype=lib.long,device='meta'))
lib.nn.Embedding(9,3,device='meta')(lib.empty(2,4,dtype=lib.long,device='meta')).shape
lib.nn.LSTM(3,4,device='meta')(lib.empty(5,2,3,device='meta'))[1][0].shape
lib.nn.TransformerEncoderLayer(8,2,device='meta')(lib.empty(2,5,8,device='meta')).shape
lib.nn.Conv2d(3,8,3,device='meta')(lib.empty(1,3,8,8,device='meta')).shape
lib.nn.BatchNorm1d(3,device='meta')(t).shape
""".split()  # noqa: SIM905

REFUSED = """
t.sum().item() bool(t.sum()) float(t.sum()) t.numpy() t.tolist() t.cpu() t.nonzero() t.unique()
t+lib.ones(2,3) t[t>0] t.to('cpu') lib.ones(2,3).copy_(t) t@t t.view(7)
lib.nn.Linear(2,3,device='meta').to('cpu')
""".split()  # noqa: SIM905


def ask(lib, text):
    return eval(text, {"lib": lib, "t": lib.empty(2, 3, device="meta")})  # noqa: S307


@needs_torch
@pytest.mark.parametrize("text", SHOWN)
def test_shapes_and_types_are_pytorchs(text):
    theirs = repr(ask(torch, text)).replace("grad_fn=<CppFunction>", "requires_grad=True")
    assert repr(ask(mg, text)) == theirs


@needs_torch
@pytest.mark.parametrize("text", REFUSED)
def test_what_needs_data_is_refused(text):
    with pytest.raises(Exception) as theirs:
        ask(torch, text)
    with pytest.raises(Exception) as ours:
        ask(mg, text)
    assert issubclass(ours.type, theirs.type)


def test_no_memory_is_needed():
    t = mg.empty(HUGE, 1000, device="meta")
    assert t.nbytes == 4000 * HUGE and t.is_meta
    assert t.zero_().normal_() is t and copy.deepcopy(t).shape == t.shape
    assert pickle.loads(pickle.dumps(t)).shape == t.shape  # noqa: S301
    with pytest.raises(RuntimeError):
        t + 1


def test_nothing_is_drawn():
    mg.manual_seed(3)
    wanted = mg.rand(2)
    mg.manual_seed(3)
    with mg.device("meta"):
        nn.Linear(3, 3)
        mg.randn(4)
        mg.rand_like(mg.empty(2))
        mg.randperm(3)
    assert mg.equal(mg.rand(2), wanted)


def test_scopes_and_the_default_device():
    with mg.device("meta"):
        assert mg.get_default_device() == mg.device("meta")
        with mg.device("cpu"):
            assert not mg.ones(2).is_meta
        assert mg.ones(2).is_meta and not mg.ones(2, device="cpu").is_meta
    assert not mg.ones(2).is_meta
    mg.set_default_device("meta")
    try:
        assert mg.ones(2).is_meta and nn.Linear(2, 2).bias.is_meta
    finally:
        mg.set_default_device("cpu")
    assert not mg.ones(2).is_meta and mg.get_default_device() == mg.device("cpu")
    draws = mg.vmap(lambda x: x + mg.rand(2), randomness="same")  # asks the modes
    assert not draws(mg.ones(3, 2)).is_meta


def test_a_module_gets_memory_or_a_checkpoint():
    with mg.device("meta"):
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert all(p.is_meta and isinstance(p, nn.Parameter) for p in model.parameters())
    real = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with pytest.warns(UserWarning, match="assign=True"):
        model.load_state_dict(real.state_dict())
    assert model[0].weight.is_meta
    with pytest.raises(NotImplementedError, match="to_empty"):
        model.to("cpu")
    model.load_state_dict(real.state_dict(), assign=True)
    x = mg.randn(4, 2)
    assert mg.equal(model(x), real(x))
    model(x).sum().backward()
    assert model[0].weight.grad is not None
    again = copy.deepcopy(real).to("meta").to_empty(device="cpu")
    again.load_state_dict(real.state_dict())
    assert type(again[0].weight) is nn.Parameter and mg.equal(again(x), real(x))


def test_ensembles_need_no_memory_for_the_base_model():
    models = [nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)) for _ in range(3)]
    params, buffers = mg.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")

    def call(p, b, x):
        return mg.func.functional_call(base, (p, b), (x,))

    x = mg.randn(3, 5, 2)
    wanted = mg.stack([m(rows) for m, rows in zip(models, x)])
    assert mg.allclose(mg.vmap(call)(params, buffers, x), wanted, atol=1e-6)


def test_backward_is_refused():
    loss = nn.Linear(2, 1, device="meta")(mg.empty(3, 2, device="meta")).sum()
    assert loss.requires_grad
    with pytest.raises(NotImplementedError, match="records no graph"):
        loss.backward()
    with mg.no_grad():
        assert not nn.Linear(2, 1, device="meta")(mg.empty(3, 2, device="meta")).requires_grad
