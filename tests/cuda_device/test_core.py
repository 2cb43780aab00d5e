"""Tensors on a GPU: transfers, arithmetic, gradients, modules and optimizers, as on the CPU."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import cuda_library
from minigrad.kernels.cuda_array import CudaArray

from . import emulated_cupy

two_devices = pytest.mark.two_devices
MIXED = "Expected all tensors to be on the same device, but found at least two devices"


def values(seed=0, *shape):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def test_importing_minigrad_looks_for_no_gpu() -> None:
    code = "import sys, minigrad; assert 'cupy' not in sys.modules; print(minigrad.zeros(2).device)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "cpu", done.stderr


@pytest.mark.parametrize(
    "where",
    [
        "cuda",
        torch.device("cuda", 0),
        pytest.param("cuda:1", marks=two_devices),
        pytest.param(1, marks=two_devices),
    ],
)
def test_transfer_and_back(where) -> None:
    x = values(1, 3, 4)
    y = x.to(where)
    assert y.is_cuda and not y.is_cpu and type(y._array) is CudaArray
    assert y.device == torch.device("cuda", 0 if where == "cuda" else torch.device(where).index)
    assert y.get_device() == y.device.index
    assert y.shape == x.shape and y.dtype == x.dtype
    assert torch.equal(y.cpu(), x) and y.cpu().device == torch.device("cpu")
    assert y.to(where) is y and x.to("cpu") is x
    assert y.tolist() == x.tolist() and y[0, 0].item() == x[0, 0].item()


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float64"]
)
def test_transfer_keeps_every_type(dtype) -> None:
    x = (values(2, 5) * 3).to(getattr(torch, dtype))
    y = x.cuda()
    assert y.dtype == x.dtype and torch.equal(y.cpu(), x)
    assert torch.equal((y + y).cpu(), x + x)
    assert torch.equal(y.float().cpu(), x.float())


def test_transfer_keeps_the_order_of_memory() -> None:
    x = values(3, 2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert x.cuda().is_contiguous(memory_format=torch.channels_last)
    assert values(3, 4, 5).t().cuda().stride() == (1, 5)


def test_gradients_flow_across_devices() -> None:
    a = values(4, 3, 3).requires_grad_()
    b = a.to("cuda")
    assert b.grad_fn.name() == "ToCopyBackward0"
    (b @ b).relu().sum().to("cpu").mul(2).backward()
    c = a.detach().clone().requires_grad_()
    (c @ c).relu().sum().mul(2).backward()
    assert a.grad.device.type == "cpu"
    assert torch.allclose(a.grad, c.grad)
    leaf = a.detach().cuda().requires_grad_()
    (leaf * leaf).sum().backward()
    (leaf * leaf).sum().backward()
    assert leaf.grad.is_cuda and torch.allclose(leaf.grad.cpu(), 4 * a.detach())


def test_second_gradients() -> None:
    a = values(5, 4).cuda().requires_grad_()
    (g,) = torch.autograd.grad((a**3).sum(), a, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), a)
    assert torch.allclose(h.cpu(), 6 * a.detach().cpu())


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b,
        lambda a, b: b * a,
        lambda a, b: a @ b,
        lambda a, b: torch.cat([a, b]),
        lambda a, b: torch.where(a > 0, a, b),
        lambda a, b: a.add_(b),
        lambda a, b: nn.functional.linear(a, b),
        lambda a, b: nn.functional.mse_loss(a, b),
        lambda a, b: torch.maximum(a, b),
        lambda a, b: a.gather(0, b.long()),
    ],
)
def test_operands_on_two_devices_are_refused(operation) -> None:
    a, b = values(6, 3, 3), values(7, 3, 3)
    with pytest.raises(RuntimeError, match=f"{MIXED}, cuda:0 and cpu!"):
        operation(a.cuda(), b)
    if torch.cuda.device_count() > 1:
        with pytest.raises(RuntimeError, match=f"{MIXED}, cuda:. and cuda:.!"):
            operation(a.cuda(0), b.cuda(1))


def test_numbers_and_0d_tensors_of_the_cpu_mix() -> None:
    x = values(8, 3).cuda()
    assert torch.equal((x * torch.tensor(2.0)).cpu(), x.cpu() * 2)
    assert torch.equal((torch.tensor(2.0) - x).cpu(), 2 - x.cpu())
    assert (x + torch.tensor(1.0, dtype=torch.float64)).dtype == torch.float32
    x[0] = torch.tensor(5.0)
    assert x[0].item() == 5


def test_nothing_becomes_numpy_by_itself() -> None:
    x = values(9, 3).cuda()
    for convert in (np.asarray, np.array, lambda t: t.numpy()):
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            convert(x)
    assert np.array_equal(x.numpy(force=True), x.cpu().numpy())


def test_errors_without_a_device_name_the_number() -> None:
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.zeros(1, device="cuda:77")
    with pytest.raises(RuntimeError, match="must be cuda device"):
        torch.zeros(1).cuda("cpu")


def test_printing() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert repr(x.cuda()) == "tensor([[1., 2.],\n        [3., 4.]], device='cuda:0')"
    last = torch.device("cuda", torch.cuda.device_count() - 1)
    y = torch.tensor([1, 2], device=last, dtype=torch.int32)
    assert repr(y) == f"tensor([1, 2], device='{last}', dtype=torch.int32)"
    z = x.cuda().requires_grad_()
    assert repr(z[0]) == "tensor([1., 2.], device='cuda:0', grad_fn=<SelectBackward0>)"


def test_copies_and_pickles_stay_on_the_device() -> None:
    x = values(10, 4, 4).cuda().requires_grad_()
    for other in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.device == x.device and other.requires_grad
        assert torch.equal(other.detach().cpu(), x.detach().cpu())
    base = values(11, 6).cuda()
    pair = copy.deepcopy([base, base[2:4]])
    pair[0].zero_()
    assert pair[1].tolist() == [0, 0] and base[2].item() != 0


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: torch.zeros(2, 3, **o),
        lambda **o: torch.ones(2, 3, dtype=torch.int32, **o),
        lambda **o: torch.full((2,), 7, **o),
        lambda **o: torch.full((2,), 0.5, dtype=torch.bfloat16, **o),
        lambda **o: torch.arange(5, **o),
        lambda **o: torch.linspace(0, 1, 5, **o),
        lambda **o: torch.eye(3, **o),
        lambda **o: torch.tensor([1.5, 2.0], **o),
        lambda **o: torch.as_tensor([1, 2], **o),
        lambda **o: torch.as_tensor(np.arange(3), **o),
        lambda **o: torch.asarray([1, 2], **o),
        lambda **o: torch.scalar_tensor(3, **o),
        lambda **o: torch.tril_indices(3, 3, **o),
        lambda **o: torch.hann_window(4, **o),
        lambda **o: torch.zeros_like(torch.ones(2, 2), **o),
        lambda **o: torch.full_like(torch.ones(2, 2), 3, **o),
        lambda **o: torch.ones(2).new_full((3,), 2, **o),
    ],
)
def test_making_tensors_there(make) -> None:
    x = make()
    last = torch.device("cuda", torch.cuda.device_count() - 1)
    y = make(device=last)
    assert y.device == last
    assert y.dtype == x.dtype and torch.equal(x, y.cpu())
    with last:
        if make.__code__.co_names[1] not in ("zeros_like", "full_like"):
            assert make().device.type == "cuda" or "new_full" in make.__code__.co_names
    assert make().device.type == "cpu"


def test_like_its_input() -> None:
    x = values(12, 2, 3).cuda()
    for y in (torch.zeros_like(x), torch.rand_like(x), x.new_ones(2), x.new_tensor([1.0])):
        assert y.device == x.device


def test_random_numbers_are_those_of_the_cpu() -> None:
    torch.manual_seed(5)
    a = [torch.rand(4), torch.randn(20), torch.randint(9, (5,)), torch.randperm(6)]
    torch.manual_seed(5)
    b = [
        torch.rand(4, device="cuda"),
        torch.randn(20, device="cuda"),
        torch.randint(9, (5,), device="cuda"),
        torch.randperm(6, device="cuda"),
    ]
    assert all(torch.equal(x, y.cpu()) for x, y in zip(a, b, strict=True))
    g = torch.Generator("cuda").manual_seed(3)
    h = torch.Generator().manual_seed(3)
    assert g.device == torch.device("cuda", 0)
    x = torch.empty(5, device="cuda").normal_(generator=g)
    assert torch.equal(x.cpu(), torch.empty(5).normal_(generator=h))
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.rand(2, device="cuda", generator=h)


def _model():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
        lambda p: torch.optim.RMSprop(p, lr=0.01),
        lambda p: torch.optim.Adagrad(p, lr=0.1),
        lambda p: torch.optim.Adadelta(p),
        lambda p: torch.optim.Adamax(p),
        lambda p: torch.optim.NAdam(p),
        lambda p: torch.optim.RAdam(p),
        lambda p: torch.optim.ASGD(p),
        lambda p: torch.optim.Rprop(p),
    ],
)
def test_training_gives_the_losses_of_the_cpu(make) -> None:
    torch.manual_seed(1)
    here = _model()
    there = copy.deepcopy(here).to("cuda")
    x, y = values(13, 32, 6), torch.tensor(np.arange(32) % 4)
    losses = []
    for model in (here, there):
        where = next(model.parameters()).device
        optimizer = make(model.parameters())
        torch.manual_seed(2)
        found = []
        for _ in range(6):
            loss = nn.functional.cross_entropy(model(x.to(where)), y.to(where))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses.append(found)
        for state in optimizer.state.values():
            for name, value in state.items():
                if torch.is_tensor(value) and name != "step" and value.ndim:
                    assert value.device == where
    assert losses[0][0] > losses[0][-1]
    assert np.allclose(losses[0], losses[1], rtol=2e-5)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        assert q.is_cuda and isinstance(q, nn.Parameter)
        assert torch.allclose(p, q.cpu(), rtol=1e-4, atol=1e-5)


def test_modules_move() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.LazyLinear(2)).cuda()
    assert all(t.is_cuda for t in (*model[:2].parameters(), *model[1].buffers()))
    assert model(values(14, 5, 3).cuda()).is_cuda and model[2].weight.is_cuda
    state = model.state_dict()
    assert all(v.is_cuda for v in state.values())
    model.cpu()
    assert all(not t.is_cuda for t in model.parameters())
    last = torch.device("cuda", torch.cuda.device_count() - 1)
    model.to(last, torch.float64)
    assert model[0].weight.device == last
    assert model[0].weight.dtype == torch.float64
    model.load_state_dict(state)
    assert model[0].weight.device == last


def test_other_libraries_share_memory() -> None:
    import cupy

    c = cupy.asarray(np.arange(4, dtype=np.float32))
    for t in (torch.as_tensor(c, device="cuda"), torch.asarray(c), torch.from_dlpack(c)):
        assert t.device == torch.device("cuda:0") and t.tolist() == [0, 1, 2, 3]
    t = torch.as_tensor(c)
    assert t.data_ptr() == c.data.ptr
    assert t.__cuda_array_interface__["shape"] == (4,) and t.__dlpack_device__() == (2, 0)
    back = cupy.asarray(t)
    back[0] = 9
    assert t[0].item() == 9
    with pytest.raises(AttributeError, match="non-CUDA tensor"):
        _ = torch.ones(2).__cuda_array_interface__


def test_writes_come_from_any_device() -> None:
    y = torch.arange(6.0, device="cuda").reshape(2, 3)
    source = torch.tensor([7.0, 8, 9], requires_grad=True)
    z = y.clone()
    z[0] = source
    assert z[0].tolist() == [7, 8, 9]
    z.sum().backward()
    assert source.grad.tolist() == [1, 1, 1] and source.grad.device.type == "cpu"
    assert torch.zeros(3).copy_(y[1]).tolist() == [3, 4, 5]
    assert y[torch.tensor([1, 0])].is_cuda  # indices of the CPU do for every device
    assert torch.tensor([y[1, 0], 2]).tolist() == [3, 2]


def test_dropout_draws_from_the_devices_generator() -> None:
    x = torch.ones(4, 6, 2, 2, device="cuda")
    for drop in (
        lambda t: nn.functional.dropout(t, 0.5),
        lambda t: nn.functional.dropout2d(t, 0.5),
        lambda t: nn.functional.alpha_dropout(t, 0.3),
    ):
        torch.cuda.manual_seed(5)
        there = drop(x)
        torch.manual_seed(5)
        assert torch.equal(there.cpu(), drop(x.cpu()))


def test_float32_is_rounded_to_tf32_only_where_it_is_allowed() -> None:
    x = torch.full((64, 64), 1 + 2**-12, device="cuda")  # TF32 has 10 bits of mantissa
    images = torch.full((2, 32, 8, 8), 1 + 2**-12, device="cuda")
    weight = torch.ones(32, 32, 3, 3, device="cuda")
    exact, there = 64 * (1 + 2**-12), torch.backends.cuda.matmul
    assert not there.allow_tf32 and (x @ torch.ones_like(x))[0, 0].item() == exact
    takes = torch.cuda.get_device_capability() >= (8, 0) and cuda_library.library().kernels
    try:
        for allow in (
            lambda: setattr(there, "allow_tf32", True),
            lambda: torch.set_float32_matmul_precision("high"),
            lambda: setattr(there, "fp32_precision", "tf32"),
        ):
            allow()
            assert there.allow_tf32 and there.fp32_precision == "tf32"
            assert (x @ torch.ones_like(x))[0, 0].item() == (64 if takes else exact)
            torch.set_float32_matmul_precision("highest")
            assert not there.allow_tf32 and there.fp32_precision == "ieee"
            assert (x @ torch.ones_like(x))[0, 0].item() == exact
    finally:
        there.fp32_precision = "none"

    def middle() -> float:
        return nn.functional.conv2d(images, weight, padding=1)[0, 0, 4, 4].item()

    full = 288 * (1 + 2**-12)
    assert not torch.backends.cudnn.allow_tf32 and middle() == full
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
        assert torch.backends.cudnn.conv.fp32_precision == "tf32"
        assert middle() == (288 if takes else full)
    assert middle() == full
    with pytest.raises(RuntimeError, match="Unknown precision"):
        there.fp32_precision = "half"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_16_bits(dtype, causal) -> None:
    found = []
    emulated_cupy.LAUNCHED.clear()
    for where in ("cpu", "cuda"):
        q, k, v = (values(s, 2, 3, 20, 16).to(dtype).to(where).requires_grad_() for s in range(3))
        out = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out.backward(values(5, 2, 3, 20, 16).to(dtype).to(where))
        assert out.dtype is dtype and out.device.type == where
        found.append([t.float().cpu() for t in (out.detach(), q.grad, k.grad, v.grad)])
    for here, there in zip(*found, strict=True):
        assert torch.allclose(here, there, atol=0.05 if dtype is torch.bfloat16 else 0.01)
    if not emulated_cupy.REAL and cuda_library.library().kernels is not None:
        assert {"attention", "attention_backward"} <= emulated_cupy.LAUNCHED
