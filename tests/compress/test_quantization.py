"""Models of integers made in one call: what they compute, weigh and hand on."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import minigrad as mg
from minigrad import compress, nn
from minigrad.ao.nn import chain
from minigrad.ao.quantization import MinMaxObserver
from minigrad.vision import models as zoo


def cnn() -> Any:
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(),
        nn.Linear(16 * 16, 32), nn.ReLU(), nn.Linear(32, 10),
    ).eval()  # fmt: skip


class Residual(nn.Module):
    """A model that is no Sequential, with a layer that is called twice and one that stays."""

    def __init__(self) -> None:
        super().__init__()
        mg.manual_seed(1)
        self.inner = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 12))
        self.again = nn.Linear(12, 12)
        self.same = self.again
        self.norm = nn.LayerNorm(12)
        self.head = nn.Bilinear(12, 12, 3)

    def forward(self, x: Any) -> Any:
        x = x + self.inner(x)
        x = self.norm(self.same(self.again(x).tanh()))
        return self.head(x, x)


def relative_error(model: Any, real: Any, x: Any) -> float:
    want = real(x)
    return ((model(x) - want).norm() / want.norm()).item()


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_networks(mode: str) -> None:
    x = mg.randn(32, 1, 16, 16)
    real = cnn()
    options = {"calibration": [x]} if mode == "static" else {}
    model, names = compress.quantize(real, x[:2], mode=mode, **options)
    assert names == ["0", "4", "9", "11"]
    assert relative_error(model, real, x) < 0.02
    assert type(real[0]) is nn.Conv2d and not model.training
    assert not list(model.parameters())
    report = compress.report({"float": real, "int8": model}, x[:1], repeats=1)
    assert report["int8"].bytes < 0.35 * report["float"].bytes
    assert report["int8"].flops == report["float"].flops
    assert report["int8"].parameters > 0.99 * report["float"].parameters - 16
    if mode == "static":
        assert report["int8"].peak_memory < 0.6 * report["float"].peak_memory


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_other_models(mode: str) -> None:
    real, x = Residual().eval(), mg.randn(16, 12)
    model, names = compress.quantize(real, x, mode=mode)
    assert names == ["inner.0", "inner.2", "again"]
    assert model.same is model.again and type(model.head) is nn.Bilinear
    assert 1e-6 < relative_error(model, real, x) < 0.05


@pytest.mark.parametrize("last", ["linear", "conv", "pool"])
def test_a_chain_computes_what_its_layers_do(last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mg.manual_seed(2)
    layers = [
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.MaxPool2d(3, stride=2, padding=1), nn.ReLU(),
        nn.Dropout2d(), nn.Conv2d(8, 8, 3, groups=2, padding=2, dilation=2), nn.ReLU(),
    ]  # fmt: skip
    if last == "linear":
        layers += [nn.Flatten(), nn.Linear(8 * 36, 16), nn.ReLU(), nn.Linear(16, 5), nn.ReLU()]
    elif last == "pool":
        layers += [nn.MaxPool2d(2)]
    x = mg.randn(4, 3, 24, 24)
    model, _ = compress.quantize(nn.Sequential(*layers).eval(), x, mode="static")
    made = []
    gc.collect()  # other tests' classes of tensors, which would watch
    monkeypatch.setattr(chain.Tensor, "_from_array", lambda y: made.append(y) or mg.from_numpy(y))
    short = model(x)
    assert len(made) == 1  # from array to array
    monkeypatch.undo()
    for other in (x, x.to(memory_format=mg.channels_last), x[:0], x[:1]):
        short = model[0](other)
        handle = model[0][1].register_forward_hook(lambda *_: None)
        assert (short == model[0](other)).all() and short.is_contiguous() == model[0](
            other
        ).is_contiguous()
        handle.remove()
    with pytest.raises(RuntimeError, match="3 channels are needed"):
        model(x[:, :2])
    with pytest.raises(RuntimeError, match="Float Tensor"):
        model(x.double())


def test_a_chain_hands_on_bytes() -> None:
    x = mg.randn(4, 1, 16, 16)
    model, _ = compress.quantize(cnn(), x, mode="static")
    kinds = [type(m).__name__ for m in model[0]]
    assert kinds == ["Quantize", "ConvReLU2d", "MaxPool2d", "ConvReLU2d", "MaxPool2d", "Flatten",
                     "Dropout", "LinearReLU", "Linear", "Identity"]  # fmt: skip
    assert model[0][-2].real
    seen = []
    for layer in model[0]:
        layer.register_forward_hook(lambda m, i, o: seen.append(o.is_quantized))
    model(x)
    assert seen == [True] * 8 + [False, False]


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_whole_models_of_integers_are_saved(mode: str, tmp_path: Any) -> None:
    x = mg.randn(4, 1, 16, 16)
    model, _ = compress.quantize(cnn(), x, mode=mode)
    mg.save(model, tmp_path / "whole.pt")
    again = mg.load(tmp_path / "whole.pt", weights_only=False)
    assert repr(again) == repr(model) and (again(x) == model(x)).all()


def test_chosen_layers_and_observers() -> None:
    real, x = cnn(), mg.randn(4, 1, 16, 16)
    model, names = compress.quantize(real, x, mode="static", layers=["9", "1*"])
    assert names == ["9", "11"] and type(model[0]) is nn.Conv2d
    errors = []
    for observer in (MinMaxObserver, MinMaxObserver.with_args(quant_min=0, quant_max=15)):
        made, _ = compress.quantize(real, x, mode="static", observer=observer)
        errors.append(relative_error(made, real, x))
    assert errors[0] < 0.02 < errors[1]
    alone, names = compress.quantize(nn.Linear(5, 3), mg.randn(2, 5))
    assert names == [""] and alone(mg.randn(2, 5)).shape == (2, 3)


def test_state_is_kept(tmp_path: Any) -> None:
    x = mg.randn(4, 1, 16, 16)
    for mode in ("dynamic", "static"):
        model, _ = compress.quantize(cnn(), x, mode=mode)
        mg.save(model.state_dict(), tmp_path / "model.pt")
        other, _ = compress.quantize(cnn(), x * 0.1 + 1, mode=mode)
        for value in other.buffers():
            value.zero_()
        other.load_state_dict(mg.load(tmp_path / "model.pt"))
        assert mg.equal(other(x), model(x))


def test_what_is_refused() -> None:
    x = mg.randn(4, 1, 16, 16)
    with pytest.raises(ValueError, match="mode"):
        compress.quantize(cnn(), x, mode="fast")
    with pytest.raises(ValueError, match="calibration"):
        compress.quantize(cnn(), x, calibration=[x])
    with pytest.raises(ValueError, match="no batch"):
        compress.quantize(cnn(), x, mode="static", calibration=[])
    with pytest.raises(ValueError, match="no Linear"):
        compress.quantize(nn.ReLU(), x)
    with pytest.raises(ValueError, match="fits no layer"):
        compress.quantize(cnn(), x, layers="fc")

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return x @ self.fc.weight

    with pytest.raises(RuntimeError, match="calls its layers"):
        compress.quantize(Reads(), mg.randn(2, 4))


def test_a_known_network() -> None:
    mg.manual_seed(0)
    real, x = zoo.mobilenet_v2(num_classes=10), mg.randn(4, 3, 32, 32)
    with mg.no_grad():
        for _ in range(3):  # statistics of the norms
            real.train()(x)
        real.eval()
        model, names = compress.quantize(real, x, mode="static")
        assert len(names) == 53
        assert relative_error(model, real, x) < 0.02
