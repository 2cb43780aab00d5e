"""Autocast chooses the types that PyTorch's chooses on the CPU; off, it costs nothing."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad.amp import casting, policy
from minigrad.exchange import code_of, exchange

try:
    import torch
    from torch.testing._internal.common_methods_invocations import op_db
except ImportError:
    torch, op_db = None, []

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def ours(name):
    """minigrad's function of a name in PyTorch's table of operators; None if it has none."""
    place = mg
    for part in name.split("."):
        place = getattr(place, part, None)
    return place if callable(place) else None


def converted(value, to, floats):
    """Arguments of a sample, as minigrad's or PyTorch's, floats in the type of that name."""
    if isinstance(value, torch.Tensor):
        if value.dtype is torch.float32:
            value = value.detach().to(getattr(torch, floats))
        if to is torch:
            return value
        return mg.tensor(value.double().numpy() if value.is_floating_point() else value.numpy()).to(
            getattr(mg, str(value.dtype).rpartition(".")[2])
        )
    if isinstance(value, torch.dtype):
        return getattr(to, str(value).rpartition(".")[2])
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, to, floats) for item in value)
    return value


def dtypes_of(value):
    if isinstance(value, (list, tuple)):
        return [d for item in value for d in dtypes_of(item)]
    return [str(value.dtype)] if hasattr(value, "dtype") else []


# Composed differently here: what PyTorch runs inside them is no operation of the lists.
DIFFERENT = {
    "linalg.pinv": "its product is no matmul of the lists here",
    "svd_lowrank": "approximations are computed in float32 alone",
    "pca_lowrank": "approximations are computed in float32 alone",
    "cov": "its product is no matmul of the lists here",
    "linalg.eig": "minigrad has no complex numbers",
    "linalg.eigvals": "minigrad has no complex numbers",
    "tensordot": "PyTorch's is lowered unless nothing is contracted; here always",
    "corrcoef": "its product is no matmul of the lists here",
    "sparse.mm": "its operands are sparse; tests/sparse compares it",
    "sparse.sampled_addmm": "its operands are sparse; tests/sparse compares it",
}
NAMES = sorted({op.name for op in op_db if ours(op.name)} - set(DIFFERENT))


@needs_torch
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("floats", ["float32", "bfloat16"])
def test_results_have_pytorchs_types(name, floats):
    function = ours(name)
    op = next(op for op in op_db if op.name == name)
    compared = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            samples = list(op.sample_inputs("cpu", torch.float32))[:4]
        except RuntimeError:
            pytest.skip("it has no float32 samples")
        for sample in samples:
            arguments = [(sample.input, *sample.args), sample.kwargs]
            results = []
            for lib in (torch, mg):
                args = converted(arguments[0], lib, floats)
                kwargs = {k: converted(v, lib, floats) for k, v in arguments[1].items()}
                try:
                    with lib.autocast("cpu", lib.bfloat16):
                        call = op.op if lib is torch else function
                        results.append(dtypes_of(call(*args, **kwargs)))
                except Exception:  # what one of them does not take is compared elsewhere
                    break
            if len(results) == 2:
                assert results[1] == results[0]
                compared += 1
    if not compared:
        pytest.skip("no sample that both take")


@needs_torch
@pytest.mark.parametrize("floats", ["float32", "float64"])
def test_products_inside_einsum_and_inner_are_lowered(floats):
    calls = [
        lambda lib, x, v: lib.einsum("ij,jk->ik", x, x),
        lambda lib, x, v: lib.einsum("bij,bkj->bik", x[None], x[None]),
        lambda lib, x, v: lib.einsum("ij,kj,lj->ikl", x, x, x),
        lambda lib, x, v: lib.einsum("ij,ij->ij", x, x),
        lambda lib, x, v: lib.einsum("ij->i", x),
        lambda lib, x, v: lib.einsum("i,i->", v, v),
        lambda lib, x, v: lib.inner(x, x),
        lambda lib, x, v: lib.inner(x, v),
        lambda lib, x, v: lib.inner(v, v),
        lambda lib, x, v: lib.inner(x, v[0]),
    ]
    for number, call in enumerate(calls):
        got = []
        for lib in (torch, mg):
            dtype = getattr(lib, floats)
            x, v = lib.ones(3, 3, dtype=dtype), lib.ones(3, dtype=dtype, requires_grad=True)
            with lib.autocast("cpu", lib.bfloat16):
                made = call(lib, x, v)
            if made.requires_grad:
                made.sum().backward()
                assert v.grad.dtype == dtype
            got.append(dtypes_of(made))
        assert got[0] == got[1], number


@needs_torch
@pytest.mark.parametrize("average", [True, False])
def test_weights_of_masked_attention_have_pytorchs_type(average):
    got = []
    for lib in (torch, mg):
        x, mask = lib.ones(2, 5, 8), lib.zeros(5, 5)
        layer = lib.nn.MultiheadAttention(8, 2, batch_first=True)
        with lib.autocast("cpu"):
            got.append(dtypes_of(layer(x, x, x, attn_mask=mask, average_attn_weights=average)))
    assert got[0] == got[1]


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.LSTM(3, 4, 2, bidirectional=True),
        lambda nn: nn.GRU(3, 4, 2),
        lambda nn: nn.RNN(3, 4),
        lambda nn: nn.LSTMCell(3, 4),
        lambda nn: nn.GRUCell(3, 4),
        lambda nn: nn.RNNCell(3, 4),
    ],
)
@pytest.mark.parametrize("floats", ["float32", "bfloat16"])
def test_layers_have_pytorchs_types(make, floats):
    got = []
    for lib in (torch, mg):
        x = lib.ones(5, 3, dtype=getattr(lib, floats))
        layer = make(lib.nn)
        with lib.autocast("cpu"):
            got.append(dtypes_of(layer(x)))
    assert got[0] == got[1]


@needs_torch
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_network_computes_what_pytorchs_does(dtype):
    losses, grads = [], []
    state = None
    for lib in (torch, mg):
        nn = lib.nn
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
        )
        if state is None:
            state = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(
            {k: lib.from_numpy(np.asarray(v)) if lib is mg else v for k, v in state.items()}
        )
        x = lib.linspace(-1, 1, 5 * 36).reshape(5, 1, 6, 6)
        with lib.autocast("cpu", dtype=getattr(lib, dtype)):
            out = model(x)
            loss = nn.functional.cross_entropy(out, lib.tensor([0, 1, 2, 0, 1]))
        assert out.dtype is getattr(lib, dtype) and loss.dtype is lib.float32
        loss.backward()
        losses.append(loss.item())
        grads.append([p.grad.tolist() for p in model.parameters()])
    assert losses[1] == pytest.approx(losses[0], rel=2e-2)
    for theirs, mine in zip(*grads, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0.1, atol=5e-3)


def test_nothing_is_left_when_it_ends():
    functions = [f for f in mg.ops.CATALOGUE.values() if hasattr(f, "__code__")]
    with mg.autocast("cpu"):
        assert exchange(mg.ops.linear).plain.__code__ is not code_of(mg.ops.linear)
        with mg.autocast("cpu", enabled=False):
            assert (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.float32
        assert (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.bfloat16
        with mg.autocast("cpu", mg.float16):
            assert mg.ones(2, 2).mm(mg.ones(2, 2)).dtype is mg.float16
        assert mg.get_autocast_dtype("cpu") is mg.bfloat16
    with pytest.raises(ZeroDivisionError), mg.autocast("cpu"):
        1 / 0  # noqa: B018
    assert not mg.is_autocast_enabled("cpu") and casting.state.cache == {}
    # The code stays for the next block, and goes when there is none for a while.
    for _ in range(casting._IDLE_LIMIT):
        assert (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.float32
    assert all(exchange(f).plain.__code__ is code_of(f) for f in functions)
    with mg.autocast("cpu"):
        assert (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.bfloat16


def test_names_of_the_lists_are_operations():
    for table in (policy.LOWER, policy.WIDEST, policy.LOWER_IF, policy.ALONE):
        for module, names in table.items():
            place = mg
            for part in module.split("."):
                place = getattr(place, part)
            for name in names:
                assert hasattr(place, name), f"{module}.{name}"


def test_float64_and_integers_stay():
    with mg.autocast("cpu"):
        assert (mg.ones(2, 2).double() @ mg.ones(2, 2).double()).dtype is mg.float64
        assert (mg.ones(2, 2).long() @ mg.ones(2, 2).long()).dtype is mg.int64
        assert mg.stack([mg.ones(2).bfloat16(), mg.ones(2)]).dtype is mg.float32
        assert mg.ones(3).exp().dtype is mg.float32
        assert mg.nn.functional.pad(mg.ones(1, 1, 3).bfloat16(), (1, 1)).dtype is mg.bfloat16


def test_it_belongs_to_a_thread():
    seen = []
    with mg.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append((mg.ones(2, 2) @ mg.ones(2, 2)).dtype))
        thread.start()
        thread.join()
    assert seen == [mg.float32]


def test_casts_of_parameters_are_kept_and_gradients_arrive():
    layer = mg.nn.Linear(3, 3, bias=False)
    x = mg.ones(2, 3)
    with mg.autocast("cpu"):
        with mg.no_grad():
            layer(x)
        y = layer(x)
        kept = casting.state.cache[id(layer.weight)][1]
        layer(x)
        assert casting.state.cache[id(layer.weight)][1] is kept and kept.requires_grad
        with mg.autocast("cpu", cache_enabled=False):
            layer(x)
    y.float().sum().backward()
    assert layer.weight.grad.dtype is mg.float32 and layer.weight.grad.tolist() == [[2] * 3] * 3


def test_decorated_functions_and_other_devices():
    @mg.autocast("cpu")
    def f(x, again=True):
        y = x @ x
        return f(x, False) if again else y

    assert f(mg.ones(2, 2)).dtype is mg.bfloat16 and f.__name__ == "f"
    with pytest.warns(UserWarning, match="CUDA is not available"):
        block = mg.autocast("cuda")
    with block:
        assert (mg.ones(2, 2) @ mg.ones(2, 2)).dtype is mg.float32
    with pytest.warns(UserWarning, match="not supported"):
        mg.autocast("cpu", mg.float64)
    with pytest.raises(RuntimeError, match="unsupported"):
        mg.autocast("toaster")
    with pytest.raises(ValueError, match="device_type"):
        mg.autocast(mg.device("cpu"))
    with pytest.warns(UserWarning):
        mg.cuda.amp.autocast()
    assert mg.amp.is_autocast_available("cpu")


def test_custom_functions():
    class Product(mg.autograd.Function):
        @staticmethod
        @mg.amp.custom_fwd(device_type="cpu", cast_inputs=mg.float32)
        def forward(ctx, x):
            ctx.save_for_backward(x)
            assert not mg.is_autocast_enabled("cpu")
            return x @ x

        @staticmethod
        @mg.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            assert not mg.is_autocast_enabled("cpu")
            return grad @ x.t() + x.t() @ grad

    x = mg.ones(2, 2, requires_grad=True)
    with mg.autocast("cpu"):
        y = Product.apply(x.bfloat16())
        assert y.dtype is mg.float32
    y.sum().backward()
    assert x.grad.tolist() == [[4, 4], [4, 4]]
