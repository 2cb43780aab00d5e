"""Loading what fits, freezing by pattern, and learning rates for parts of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, transfer


class Net(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.neck = nn.Linear(4, 6)
        self.head = nn.Linear(6, classes)

    def forward(self, x: Any) -> Any:
        return self.head(self.neck(self.features(x).mean((2, 3))))


def test_load_pretrained_reports_what_fitted(tmp_path: Path) -> None:
    source, model = Net(10), Net(3)
    head = model.head.weight.detach().clone()
    state = {"module." + k: v for k, v in source.state_dict().items()}
    del state["module.neck.bias"]
    state["module.extra"] = mg.ones(2)
    path = tmp_path / "weights.pt"
    mg.save({"epoch": 3, "state_dict": state}, path)
    report = transfer.load_pretrained(model, path, rename={"module.": ""})
    assert report.missing == ["neck.bias"] and report.unexpected == ["extra"]
    assert report.mismatched == {
        "head.weight": ((10, 6), (3, 6)), "head.bias": ((10,), (3,)),
    }  # fmt: skip
    assert len(report.loaded) == 8 and "loaded 8 of 11" in str(report)
    assert "given (10, 6), needed (3, 6)" in str(report)
    for name in report.loaded:
        assert np.array_equal(model.state_dict()[name].numpy(), source.state_dict()[name].numpy())
    assert np.array_equal(model.head.weight.numpy(force=True), head.numpy())


def test_load_pretrained_from_modules_and_by_function() -> None:
    source, model = Net(), Net()
    assert transfer.load_pretrained(model, source, strict=True).missing == []
    report = transfer.load_pretrained(
        model, source, rename=lambda n: n if n.startswith("features") else None
    )
    assert all(name.startswith("features") for name in report.loaded)
    assert set(report.missing) == {"neck.weight", "neck.bias", "head.weight", "head.bias"}


def test_load_pretrained_refuses() -> None:
    source, model = Net(10), Net(3)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="do not fit exactly"):
        transfer.load_pretrained(model, source, strict=True)
    for k, v in model.state_dict().items():
        assert np.array_equal(v.numpy(), before[k].numpy())
    with pytest.raises(ValueError, match="no tensor fits"):
        transfer.load_pretrained(model, {"a": mg.ones(1)})
    with pytest.raises(ValueError, match="two of the given names"):
        transfer.load_pretrained(model, {"x.a": mg.ones(1), "a": mg.ones(1)}, rename={"x.": ""})
    with pytest.raises(TypeError, match="int was given"):
        transfer.load_pretrained(model, 3)


def test_freeze_and_unfreeze() -> None:
    model = Net()
    assert transfer.freeze(model, "features") == [
        "features.0.weight", "features.0.bias", "features.1.weight", "features.1.bias",
    ]  # fmt: skip
    assert transfer.frozen(model) == transfer.freeze(model, "features")
    norm = model.features[1]
    mean = norm.running_mean.clone()
    model.train()
    x = mg.randn(4, 1, 6, 6)
    y = model(x)
    assert np.array_equal(norm.running_mean.numpy(), mean.numpy())
    y.sum().backward()
    assert model.features[0].weight.grad is None and model.neck.weight.grad is not None
    transfer.unfreeze(model, "features.1", but="*.bias")
    assert transfer.frozen(model) == ["features.0.weight", "features.0.bias", "features.1.bias"]
    model.train()
    model(x)
    assert not np.array_equal(norm.running_mean.numpy(), mean.numpy())
    assert transfer.freeze(model, but=["head", "*.bias"])[-1] == "neck.weight"
    transfer.freeze(model)
    assert len(transfer.frozen(model)) == 8 and len(transfer.unfreeze(model)) == 8
    with pytest.raises(ValueError, match="'haed' fits no parameter"):
        transfer.freeze(model, "haed")


def test_freeze_without_statistics() -> None:
    model = Net()
    transfer.freeze(model, "features", statistics=False)
    mean = model.features[1].running_mean.clone()
    model(mg.randn(4, 1, 6, 6))
    assert not np.array_equal(model.features[1].running_mean.numpy(), mean.numpy())


def test_parameter_groups() -> None:
    model = Net()
    transfer.freeze(model, "features.0.weight")
    groups = transfer.parameter_groups(
        model, {"*.bias": {"lr": 0.1, "weight_decay": 0.0}, "head": 0.5}, lr=0.01, momentum=0.9
    )
    found = {tuple(g["names"]): {k: v for k, v in g.items() if k not in ("names", "params")}
             for g in groups}  # fmt: skip
    assert found == {
        ("features.0.bias", "features.1.bias", "neck.bias", "head.bias"):
            {"lr": 0.1, "weight_decay": 0.0},
        ("features.1.weight", "neck.weight"): {"lr": 0.01, "momentum": 0.9},
        ("head.weight",): {"lr": 0.5},
    }  # fmt: skip
    optimizer = mg.optim.SGD(groups, lr=1.0)
    assert sum(len(g["params"]) for g in optimizer.param_groups) == 7
    with pytest.raises(ValueError, match="'nack'"):
        transfer.parameter_groups(model, {"nack": 0.1})


def test_discriminative_groups() -> None:
    model = Net()
    groups = transfer.discriminative_groups(model, 0.4, 2.0, weight_decay=0.1)
    assert [(g["lr"], len(g["params"]), g["weight_decay"]) for g in groups] == [
        (0.1, 4, 0.1), (0.2, 2, 0.1), (0.4, 2, 0.1),
    ]  # fmt: skip
    groups = transfer.discriminative_groups(
        model, 0.4, 4, [["features.0", "features.1"], ["neck", "head"]]
    )
    assert [g["lr"] for g in groups] == [0.1, 0.1, 0.4, 0.4]
    mg.optim.AdamW(groups)
    with pytest.raises(ValueError, match="no stage has neck.weight"):
        transfer.discriminative_groups(model, 0.4, stages=["features", "head"])
    with pytest.raises(ValueError, match="factor=0"):
        transfer.discriminative_groups(model, 0.4, 0)
