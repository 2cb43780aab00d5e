"""Whole programs on the emulated GPU: training, files, loaders, autocast; values as on the CPU."""

import copy
import io

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.utils.data import DataLoader, TensorDataset

from . import emulated_cupy


class Net(nn.Module):
    """A small convolutional network."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 8, 3, stride=2)
        self.dropout = nn.Dropout(0.25)
        self.fc = nn.Linear(8 * 3 * 3, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv1(x))), 2)
        x = torch.relu(self.conv2(x))
        return self.fc(self.dropout(x.flatten(1)))


def train(device: str) -> tuple[list[float], dict]:
    rng = np.random.default_rng(1)
    images = torch.tensor(rng.normal(size=(24, 1, 14, 14)).astype(np.float32))
    labels = torch.tensor(rng.integers(0, 5, 24))
    torch.manual_seed(0)
    model = Net().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.7)
    loader = DataLoader(TensorDataset(images, labels), 8, pin_memory=device != "cpu")
    losses = []
    torch.manual_seed(1)
    for _ in range(2):
        model.train()
        for x, y in loader:
            assert x.is_pinned() is (device != "cpu")
            x, y = x.to(device, non_blocking=True), y.to(device)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    model.eval()
    with torch.no_grad():
        correct = (model(images.to(device)).argmax(1) == labels.to(device)).sum().item()
    return [*losses, correct], model.state_dict()


def test_a_convolutional_network_trains_as_on_the_cpu() -> None:
    here, state = train("cpu")
    there, moved = train("cuda")
    assert np.allclose(here, there, rtol=1e-4)
    for name, value in state.items():
        assert moved[name].is_cuda
        assert torch.allclose(moved[name].cpu().float(), value.float(), rtol=1e-3, atol=1e-4), name
    if not emulated_cupy.REAL and emulated_cupy.emulated_kernels() is not None:
        needed = {"adam_step", "binary", "conv2d", "conv2d_weight", "gemm", "reduce",
                  "unary"}  # fmt: skip
        assert needed <= emulated_cupy.LAUNCHED


@pytest.mark.two_devices
@pytest.mark.parametrize("format", ["pt", "mg"])
def test_files_keep_devices(format) -> None:
    base = torch.arange(12.0).reshape(3, 4).cuda("cuda:1")
    half = torch.ones(3, dtype=torch.bfloat16, device="cuda")
    value = {"w": nn.Parameter(torch.ones(2, 2, device="cuda")), "x": base, "row": base[1],
             "h": half, "c": torch.ones(2)}  # fmt: skip
    stream = io.BytesIO()
    torch.save(value, stream, format=format)

    def load(**options):
        stream.seek(0)
        return torch.load(stream, **options)

    same = load()
    assert {k: str(v.device) for k, v in same.items()} == {
        "w": "cuda:0", "x": "cuda:1", "row": "cuda:1", "h": "cuda:0", "c": "cpu"}  # fmt: skip
    assert isinstance(same["w"], nn.Parameter) and same["w"].requires_grad
    assert torch.equal(same["x"].cpu(), base.cpu()) and same["h"].dtype == torch.bfloat16
    same["x"][1] = 5
    assert same["row"].tolist() == [5, 5, 5, 5]
    for where in ("cpu", torch.device("cpu")):
        assert all(not v.is_cuda for v in load(map_location=where).values())
    assert all(str(v.device) == "cuda:0" for v in load(map_location="cuda:0").values())
    moved = load(map_location={"cuda:1": "cpu"})
    assert not moved["x"].is_cuda and moved["w"].is_cuda


def test_optimizers_take_up_again_on_a_device() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    other = nn.Linear(3, 2).cuda()
    other.load_state_dict(model.state_dict())
    resumed = torch.optim.Adam(other.parameters(), lr=0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for p in other.parameters():
        state = resumed.state[p]
        assert state["exp_avg"].device == p.device and state["step"].device.type == "cpu"
    for m, o in ((model, optimizer), (other, resumed)):
        o.zero_grad()
        m(torch.ones(4, 3, device=m.weight.device)).sum().backward()
        o.step()
    assert torch.allclose(model.weight, other.weight.cpu())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_and_scaler(dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    scaler = torch.amp.GradScaler("cuda", enabled=dtype is torch.float16)
    x, y = torch.randn(16, 6, device="cuda"), torch.randint(3, (16,), device="cuda")
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype):
            out = model(x)
            assert out.dtype is dtype
            assert nn.functional.softmax(out, 1).dtype is torch.float32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32  # on the CPU
            loss = nn.functional.cross_entropy(out, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and model[0].weight.grad.dtype is torch.float32


MODULES = {
    "Embedding": (lambda: nn.Embedding(7, 4), "ids"),
    "LSTM": (lambda: nn.LSTM(4, 5, num_layers=2), "sequence"),
    "GRU": (lambda: nn.GRU(4, 5, bidirectional=True), "sequence"),
    "RNN": (lambda: nn.RNN(4, 5), "sequence"),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), "sequence"),
    "MultiheadAttention": (lambda: _Self(nn.MultiheadAttention(4, 2)), "sequence"),
    "LayerNorm": (lambda: nn.LayerNorm(4), "sequence"),
    "RMSNorm": (lambda: nn.RMSNorm(4), "sequence"),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), "images"),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), "images"),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), "images"),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 3, 3, stride=2), "images"),
    "Conv2d-groups": (lambda: nn.Conv2d(4, 8, 3, groups=4, dilation=2), "images"),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), "images"),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(3), "images"),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), "images"),
    "PReLU": (lambda: nn.PReLU(4), "images"),
    "GELU": (lambda: nn.GELU(), "images"),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), "images"),
    "Unfold": (lambda: nn.Unfold(3), "images"),
    "Conv1d": (lambda: nn.Conv1d(4, 6, 3), "signals"),
    "Conv3d": (lambda: nn.Conv3d(4, 6, 2), "volumes"),
    "Bilinear": (lambda: _Pair(nn.Bilinear(4, 4, 3)), "sequence"),
}  # fmt: skip
SHAPES = {"sequence": (5, 2, 4), "images": (2, 4, 7, 7), "signals": (2, 4, 9),
          "volumes": (2, 4, 4, 5, 5)}  # fmt: skip


class _Self(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x)[0]


class _Pair(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x, x * 2)


@pytest.mark.parametrize("name", MODULES)
def test_modules_as_on_the_cpu(name) -> None:
    make, kind = MODULES[name]
    rng = np.random.default_rng(3)
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(2)
        module = make().to(device)
        if kind == "ids":
            x = torch.tensor([[1, 2], [6, 1]]).to(device)
        else:
            values = np.random.default_rng(3).normal(size=SHAPES[kind]).astype(np.float32)
            x = torch.tensor(values).to(device).requires_grad_()
        out = module(x)
        out = out[0] if isinstance(out, tuple) else out
        assert out.device.type == device
        weight = np.random.default_rng(4).normal(size=tuple(out.shape)).astype(np.float32)
        (out * torch.tensor(weight).to(device)).sum().backward()
        grads = [p.grad for p in module.parameters()]
        grads += [] if kind == "ids" else [x.grad]
        found.append([out.detach().cpu(), *[g.cpu() for g in grads]])
    del rng
    for here, there in zip(*found, strict=True):
        assert torch.allclose(here, there, rtol=1e-3, atol=2e-5), name
