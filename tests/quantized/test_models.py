"""Models of integers beside PyTorch's: fused, observed, trained, converted, saved."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.ao import nn as ao_nn
from minigrad.ao import quantization as mq
from minigrad.kernels.cpu import _C

pytestmark = pytest.mark.filterwarnings("ignore")
GROUPS = [["conv1", "bn1", "relu1"], ["conv2", "relu2"], ["fc1", "relu3"]]
BATCHES = [
    np.random.default_rng(i).standard_normal((8, 2, 12, 12)).astype(np.float32) * (1 + i)
    for i in range(3)
]


def build(t: Any, q: Any, functional: Any) -> Any:
    """A network with a fused norm, a residual sum, pooling, grouped and strided convolutions."""

    class Net(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.quant, self.dequant = q.QuantStub(), q.DeQuantStub()
            self.conv1 = t.nn.Conv2d(2, 8, 3, padding=1)
            self.bn1, self.relu1 = t.nn.BatchNorm2d(8), t.nn.ReLU()
            self.depthwise = t.nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
            self.sum = functional()
            self.pool = t.nn.MaxPool2d(2)
            self.conv2 = t.nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=2)
            self.relu2, self.flat = t.nn.ReLU(), t.nn.Flatten()
            self.fc1, self.relu3 = t.nn.Linear(108, 20), t.nn.ReLU()
            self.fc2 = t.nn.Linear(20, 5)

        def forward(self, x: Any) -> Any:
            x = self.relu1(self.bn1(self.conv1(self.quant(x))))
            x = self.sum.add(x, self.depthwise(x))
            x = self.flat(self.relu2(self.conv2(self.pool(x))))
            return self.dequant(self.fc2(self.relu3(self.fc1(x))))

    return Net()


def ours() -> Any:
    mg.manual_seed(0)
    return build(mg, mq, ao_nn.quantized.FloatFunctional)


def pair() -> list[tuple[Any, Any, Any]]:
    """(library, its quantization, its model): both with the same parameters."""
    torch = pytest.importorskip("torch")
    if _C.isa() == "baseline":
        pytest.skip("without fused products ties may differ")
    torch.backends.quantized.engine = "fbgemm"
    theirs = build(torch, torch.ao.quantization, torch.ao.nn.quantized.FloatFunctional)
    mine = ours()
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in mine.state_dict().items()})
    return [(mg, mq, mine), (torch, torch.ao.quantization, theirs)]


@pytest.mark.parametrize(
    "config", ["default_qconfig", "default_per_channel_qconfig", "x86", "onednn"]
)
def test_static(config: str) -> None:
    results, watching = [], []
    for t, q, model in pair():
        fused = q.fuse_modules(model.eval(), GROUPS)
        fused.qconfig = getattr(q, config) if "_" in config else q.get_default_qconfig(config)
        observed = q.prepare(fused)
        for x in BATCHES:
            observed(t.from_numpy(x))
        watching.append(observed)
    state = {k: mg.from_numpy(v.numpy()) for k, v in watching[1].state_dict().items()}
    assert list(watching[0].state_dict()) == list(state)
    for key, value in watching[0].state_dict().items():
        if "histogram" not in key:  # a value at the edge of a bin may fall into the next one
            np.testing.assert_allclose(value.numpy(), state[key].numpy(), rtol=1e-5, atol=1e-6)
    watching[0].load_state_dict(state)  # what they saw differs in the last bit: rounding of floats
    for (t, q, model), observed in zip(pair(), watching):
        converted = q.convert(observed)
        results.append([converted(t.from_numpy(x)).numpy() for x in BATCHES])
        for m in (converted.fc2, converted.sum, converted.quant):
            results[-1].append(np.array([float(m.scale), int(m.zero_point)]))
        real = model.eval()(t.from_numpy(BATCHES[0])).detach().numpy()
        assert abs(results[-1][0] - real).max() < 0.1 * abs(real).max()
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("by_channel", [False, True])
def test_training(by_channel: bool) -> None:
    results = []
    for t, q, model in pair():
        fused = q.fuse_modules_qat(model.train(), GROUPS)
        weight = (
            "default_per_channel_weight_fake_quant" if by_channel else "default_weight_fake_quant"
        )
        fused.qconfig = q.QConfig(q.default_fake_quant, getattr(q, weight))
        trained = q.prepare_qat(fused)
        optimizer = t.optim.SGD(trained.parameters(), lr=0.01)
        for x in BATCHES * 2:
            loss = (trained(t.from_numpy(x)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        x = t.from_numpy(BATCHES[0])
        trained.eval()
        trained.apply(q.disable_observer)
        rounded = trained(x).detach().numpy()
        integers = q.convert(trained)(x).numpy()
        # What is trained for is what comes out, up to a step of the last layer's grid.
        assert abs(rounded - integers).max() < 0.05 * abs(rounded).max() + 1e-6
        results.append((loss.item(), rounded, integers))
    (a, b, c), (d, e, f) = results
    assert a == pytest.approx(d, rel=1e-3)
    np.testing.assert_allclose(b, e, atol=0.03 * abs(e).max())
    np.testing.assert_allclose(c, f, atol=0.03 * abs(f).max())


def test_dynamic() -> None:
    torch = pytest.importorskip("torch")
    if _C.isa() == "baseline":
        pytest.skip("without fused products ties may differ")
    torch.backends.quantized.engine = "fbgemm"
    x = np.random.default_rng(0).standard_normal((7, 3, 33)).astype(np.float32)
    for config in ("default_dynamic_qconfig", "per_channel_dynamic_qconfig"):
        found = []
        theirs = torch.nn.Sequential(
            torch.nn.Linear(33, 40), torch.nn.ReLU(), torch.nn.Linear(40, 9)
        )
        mine = nn.Sequential(nn.Linear(33, 40), nn.ReLU(), nn.Linear(40, 9))
        mine.load_state_dict({k: mg.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
        for t, q, model in ((mg, mq, mine), (torch, torch.ao.quantization, theirs)):
            made = q.quantize_dynamic(model, {t.nn.Linear: getattr(q, config)})
            found.append(made(t.from_numpy(x)).detach().numpy())
        np.testing.assert_array_equal(*found)


def test_dynamic_convolutions_and_rows() -> None:
    mg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(3, 6, 3, padding=1), nn.ReLU(), nn.Unflatten(1, (6, 1)), nn.Conv2d(6, 4, (1, 3)),
        nn.Flatten(), nn.Linear(4 * 14, 5),
    )  # fmt: skip
    x = mg.randn(9, 3, 16)
    x[3] *= 100  # an outlier
    spec = dict.fromkeys((nn.Linear, nn.Conv1d, nn.Conv2d), mq.per_channel_dynamic_qconfig)
    made = mq.quantize_dynamic(model, spec)
    real = model(x)
    assert (made(x) - real).abs().max() < 0.03 * real.abs().max()
    assert "DynamicQuantizedConv2d" in repr(made) and "Linear(" in repr(made)
    alone = mq.quantize_dynamic(model[-1:], {nn.Linear: mq.per_channel_dynamic_qconfig})
    features = mg.randn(9, 56)
    features[3] *= 100
    for rows in (False, True):
        alone[0].rows = rows
        error = (alone(features) - model[-1](features)).abs()[0].max().item()
        assert error < 0.02 if rows else error > 0.05
    alone[0].rows = True
    assert mg.equal(alone(features)[:2], alone(features[:2]))


def converted() -> Any:
    model = mq.fuse_modules(ours().eval(), GROUPS)
    model.qconfig = mq.get_default_qconfig("onednn")
    observed = mq.prepare(model)
    for x in BATCHES:
        observed(mg.from_numpy(x))
    return mq.convert(observed)


def test_saved_copied_and_loaded() -> None:
    model, x = converted(), mg.from_numpy(BATCHES[0])
    want = model(x)
    assert mg.equal(copy.deepcopy(model)(x), want)
    file = io.BytesIO()
    mg.save(model.state_dict(), file)
    file.seek(0)
    state = mg.load(file)
    other = ours()
    for p in other.parameters():
        p.data.zero_()
    empty = mq.fuse_modules(other.eval(), GROUPS)
    empty.qconfig = mq.get_default_qconfig("onednn")
    observed = mq.prepare(empty)
    observed(x)
    loaded = mq.convert(observed)
    assert not mg.equal(loaded(x), want)
    loaded.load_state_dict(state)
    assert mg.equal(loaded(x), want)
    missing = {k: v for k, v in state.items() if k != "fc1.scale"}
    with pytest.raises(RuntimeError, match=r"fc1\.scale"):
        loaded.load_state_dict(missing)
    assert state["conv1.weight_values"].dtype is mg.int8
    assert state["conv1.weight_scale"].shape == (8,)
    size = sum(v.numel() * v.element_size() for v in state.values())
    float_size = sum(4 * p.numel() for p in ours().parameters())
    assert size < 0.4 * float_size


def test_prepared_models_keep_what_they_observed() -> None:
    model = mq.fuse_modules(ours().eval(), GROUPS)
    model.qconfig = mq.get_default_qconfig("x86")
    first = mq.prepare(model)
    for x in BATCHES:
        first(mg.from_numpy(x))
    second = mq.prepare(model)
    second.load_state_dict(first.state_dict())
    x = mg.from_numpy(BATCHES[1])
    assert mg.equal(mq.convert(first)(x), mq.convert(second)(x))


@pytest.mark.parametrize("layer", ["linear", "conv"])
def test_a_layer_stays_within_its_bound(layer: str) -> None:
    """sum |w| step_x / 2 + sum |x| step_w / 2 + n step_x step_w / 4 + step_y / 2."""
    mg.manual_seed(1)
    if layer == "linear":
        real, x = nn.Linear(70, 30), mg.randn(20, 70) * 3
    else:
        real, x = nn.Conv2d(6, 10, 3, padding=1), mg.randn(2, 6, 9, 9) * 3
    model = mq.QuantWrapper(real).eval()
    model.qconfig = mq.QConfig(mq.MinMaxObserver, mq.default_per_channel_weight_observer)
    observed = mq.prepare(model)
    observed(x)
    made = mq.convert(observed)
    step_x, step_y = made.quant.scale, made.module.scale
    step_w = made.module.weight().q_per_channel_scales().float()
    absolute = copy.deepcopy(real)
    ones = copy.deepcopy(real)
    for p, q, r in zip(absolute.parameters(), ones.parameters(), real.parameters()):
        p.data, q.data = r.data.abs(), mg.ones_like(r)
    absolute.bias, ones.bias = None, None
    across = (-1, 1, 1) if layer == "conv" else (-1,)
    step_w = step_w.reshape(across)
    n = real.weight[0].numel()
    bound = absolute(mg.ones_like(x)) * step_x / 2 + ones(x.abs()) * step_w / 2
    bound = bound + n * step_x * step_w / 4 + step_y / 2
    error = (made(x) - real(x)).abs()
    assert (error <= bound * 1.001).all()
    assert error.max() > step_y / 4  # the bound is of this size


def test_hooks_stay_and_qconfig_none_keeps_float() -> None:
    model = mq.fuse_modules(ours().eval(), GROUPS[:2])
    seen = []
    model.fc1.register_forward_hook(lambda m, i, o: seen.append(o.is_quantized))
    model.fc2.qconfig = None
    model.qconfig = mq.default_qconfig
    observed = mq.prepare(model)
    observed(mg.from_numpy(BATCHES[0]))
    made = mq.convert(observed)
    assert type(made.fc2) is nn.Linear
    with pytest.raises(NotImplementedError, match="quantized"):
        made(mg.from_numpy(BATCHES[0]))
    assert seen == [False, True]


def test_what_is_refused() -> None:
    model = ours()
    with pytest.raises(AssertionError, match="eval"):
        mq.fuse_modules(model.train(), GROUPS)
    with pytest.raises(AssertionError, match="train"):
        mq.prepare_qat(model.eval())
    with pytest.raises(ValueError, match="qconfig"):
        mq.prepare(model)
    with pytest.raises(NotImplementedError, match="MaxPool2d"):
        mq.fuse_modules(model, [["pool", "conv2"]])
    with pytest.raises(NotImplementedError, match="LSTM"):
        mq.quantize_dynamic(model, {nn.LSTM})
    with pytest.raises(NotImplementedError, match="float16"):
        mq.quantize_dynamic(model, dtype=mg.float16)
    model.qconfig = mq.default_qconfig
    with pytest.warns(UserWarning, match="must run observer"):
        made = mq.convert(mq.prepare(model))
    with pytest.raises(RuntimeError, match="QuantStub"):
        made.fc1(mg.zeros(2, 108))
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, affine=False))
    plain = mq.fuse_modules_qat(plain, [["0", "1"]])
    plain.qconfig = mq.default_qat_qconfig
    with pytest.raises(NotImplementedError, match="norm with weights"):
        mq.prepare_qat(plain)
    reflect = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(NotImplementedError, match="reflect"):
        mq.quantize_dynamic(reflect, {nn.Conv2d})
    x = mg.quantize_per_tensor(mg.zeros(2, 107), 0.1, 0, mg.quint8)
    with pytest.raises(RuntimeError, match="108 channels"):
        made.fc1(x)
    small = mg.quantize_per_tensor(mg.zeros(2, 8, 1, 1), 0.1, 0, mg.quint8)
    assert made.conv2(small).shape == (2, 12, 1, 1)


def test_functions() -> None:
    q = mg.quantize_per_tensor(mg.randn(2, 4, 5, 5), 0.05, 128, mg.quint8)
    w = mg.quantize_per_tensor(mg.randn(6, 2, 3, 3), 0.02, 0, mg.qint8)
    f = ao_nn.quantized.functional
    y = f.conv2d(q, w, mg.ones(6), padding=1, groups=2, scale=0.5, zero_point=100)
    real = nn.functional.conv2d(q.dequantize(), w.dequantize(), mg.ones(6), padding=1, groups=2)
    assert (y.dequantize() - real).abs().max() <= 0.2501
    w = mg.quantize_per_tensor(mg.randn(3, 5), 0.02, 0, mg.qint8)
    assert f.linear(q, w).q_scale() == q.q_scale()
