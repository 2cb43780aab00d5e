"""Layers beside the common ones, old names, and the namespaces that programs import them from."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from pair import both, torch, values

import minigrad as mg


@both
def test_sync_batch_norm(m: Any) -> None:
    net = m.nn.Sequential(
        m.nn.Conv2d(1, 2, 1), m.nn.BatchNorm2d(2, momentum=0.3),
        m.nn.Sequential(m.nn.BatchNorm1d(3, affine=False)), m.nn.InstanceNorm2d(3),
    ).eval()  # fmt: skip
    weight = net[1].weight
    found = m.nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert found is net
    assert found[1].weight is weight
    assert type(found[1]) is type(found[2][0]) is m.nn.SyncBatchNorm
    assert (found[1].momentum, found[1].training, found[2][0].weight) == (0.3, False, None)
    assert type(found[3]) is m.nn.InstanceNorm2d
    layer = m.nn.SyncBatchNorm(4)
    assert repr(layer).startswith("SyncBatchNorm(4, eps=1e-05, momentum=0.1, affine=True")
    for bad in ((4,), (3, 0, 2)):
        with pytest.raises(ValueError, match=r"at least 2D|should be non-zero"):
            layer(m.ones(bad))
    assert isinstance(layer, m.nn.modules.batchnorm._BatchNorm)


def test_sync_batch_norm_is_batch_norm() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 2, 5)).astype(np.float32)
    results = []
    for cls in (mg.nn.SyncBatchNorm, mg.nn.BatchNorm2d):
        layer = cls(4)
        results.append((values(layer(mg.from_numpy(x))), values(layer.running_var)))
    assert results[0] == results[1]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_cross_map_lrn(size: int, channels: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, channels, 3, 2))
    ours, theirs = (
        lib.nn.CrossMapLRN2d(size, alpha=2.0, beta=0.6, k=1.5)(lib.from_numpy(x))
        for lib in (mg, torch)
    )
    np.testing.assert_allclose(values(ours), values(theirs), rtol=1e-10)


@both
def test_cross_map_lrn_needs_four_dimensions(m: Any) -> None:
    layer = m.nn.CrossMapLRN2d(3)
    assert repr(layer) == "CrossMapLRN2d(3, alpha=0.0001, beta=0.75, k=1)"
    with pytest.raises(ValueError, match="CrossMapLRN2d: Expected input to be 4D, got 2D instead"):
        layer(m.ones(2, 3))


def test_cross_map_lrns_gradient() -> None:
    x = mg.randn(2, 5, 2, 2, dtype=mg.float64, requires_grad=True)
    assert mg.autograd.gradcheck(mg.nn.CrossMapLRN2d(4, alpha=1.0), (x,))


@both
def test_old_names(m: Any) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        box = m.nn.Container(a=m.nn.Linear(1, 1))
        loss = m.nn.NLLLoss2d(reduction="sum")
    assert [w.category for w in seen] == [FutureWarning] * 2
    assert list(box.state_dict()) == ["a.weight", "a.bias"]
    x = m.log_softmax(m.arange(12.0).reshape(1, 3, 2, 2), 1)
    assert float(loss(x, m.zeros(1, 2, 2, dtype=m.int64))) == pytest.approx(
        -float(x[:, 0].sum()), rel=1e-6
    )
    assert repr(loss) == "NLLLoss2d()"


@both
def test_data_parallel(m: Any) -> None:
    model = m.nn.DataParallel(m.nn.Linear(2, 3))
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    assert model(m.ones(4, 2)).shape == (4, 3)
    state = model.state_dict()
    m.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["weight", "bias"]
    m.nn.Linear(2, 3).load_state_dict(state)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_of_convolutions(n: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4, *(6, 7, 5)[:n])), rng.standard_normal((6, 2, *(3, 2, 2)[:n]))
    steps = {"stride": 2, "padding": 1, "dilation": (1, 2, 1)[:n], "groups": 2}
    found = []
    for lib in (mg, torch):
        a, b = lib.from_numpy(x), lib.from_numpy(w)
        g = getattr(lib.nn.functional, f"conv{n}d")(a, b, None, **steps) * 0 + 1
        with lib.no_grad():
            to_input = getattr(lib.nn.grad, f"conv{n}d_input")(a.shape, b, g, **steps)
        to_weight = getattr(lib.nn.grad, f"conv{n}d_weight")(a, b.shape, g, **steps)
        found.append((values(to_input), values(to_weight)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-9, atol=1e-12)


@both
def test_classes_between(m: Any) -> None:
    """Programs ask for them with isinstance."""
    modules, nn = m.nn.modules, m.nn
    for cls, bases in (
        (nn.Conv3d(1, 1, 1), [modules.conv._ConvNd]),
        (nn.ConvTranspose1d(1, 1, 1), [modules.conv._ConvNd, modules.conv._ConvTransposeNd]),
        (nn.MaxPool3d(2), [modules.pooling._MaxPoolNd]),
        (nn.AvgPool2d(2), [modules.pooling._AvgPoolNd]),
        (nn.AdaptiveAvgPool2d(2), [modules.pooling._AdaptiveAvgPoolNd]),
        (nn.AdaptiveMaxPool2d(2), [modules.pooling._AdaptiveMaxPoolNd]),
        (nn.LPPool2d(2, 2), [modules.pooling._LPPoolNd]),
        (nn.BatchNorm1d(2), [modules.batchnorm._BatchNorm, modules.batchnorm._NormBase]),
        (nn.InstanceNorm1d(2), [modules.instancenorm._InstanceNorm, modules.batchnorm._NormBase]),
        (nn.Dropout2d(), [modules.dropout._DropoutNd]),
        (nn.NLLLoss(), [modules.loss._Loss, modules.loss._WeightedLoss]),
        (nn.ReflectionPad2d(1), [modules.padding._ReflectionPadNd]),
        (nn.ZeroPad2d(1), [modules.padding._ConstantPadNd]),
    ):
        for base in bases:
            assert isinstance(cls, base)
    assert not isinstance(nn.AdaptiveMaxPool2d(2), modules.pooling._AdaptiveAvgPoolNd)
    utils = modules.utils
    assert utils._pair(3) == (3, 3)
    assert utils._triple([1, 2]) == (1, 2)
    assert utils._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
    assert utils._list_with_default((None, 3), [5, 6, 7]) == [6, 3]
    assert nn.factory_kwargs({"dtype": m.float64}) == {"dtype": m.float64}
    with pytest.raises(TypeError, match="unexpected kwargs"):
        nn.factory_kwargs({"a": 1})


PROGRAM = """
import torch
from torch.nn.modules.batchnorm import _BatchNorm, SyncBatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.modules.utils import _pair, _triple, consume_prefix_in_state_dict_if_present
from torch.nn.modules.conv import _ConvNd, Conv3d
from torch.nn.common_types import _size_2_t, _size_3_t
from torch.nn.parameter import Parameter, UninitializedParameter, is_lazy
from torch.nn.parallel import DataParallel
from torch.nn.grad import conv2d_input
import torch.nn.grad, torch.nn.common_types, torch.nn.modules.upsampling
assert _pair(2) == (2, 2) and issubclass(SyncBatchNorm, _BatchNorm)
print(torch.nn.LazyConv3d(2, 1)(torch.ones(1, 3, 2, 2, 2)).shape)
"""


def test_names_under_the_runner(tmp_path: Any) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "minigrad", str(path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "torch.Size([1, 2, 2, 2, 2])\n"
