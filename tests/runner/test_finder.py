"""PyTorch's module names lead to the very modules of minigrad."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.runner.names import MODULES, SPREAD
from minigrad.torch_version import TorchVersion, mapped

ROOT = str(Path(minigrad.__file__).parent.parent)

PROGRAM = """
import importlib.util, pickle, sys
import minigrad, minigrad.runner.names
minigrad.install_as_torch()
minigrad.install_as_torch()  # twice does no harm
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.modules.batchnorm
import torch.nn.modules.conv as conv
import torch.optim.lr_scheduler as lr_scheduler
from torch import nn as same, optim
from torch.autograd import Function, Variable
from torch.nn.modules.activation import MultiheadAttention
from torch.nn.modules.linear import Linear
from torch.nn.parameter import Parameter
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.sampler import BatchSampler
from torch.utils.data.dataset import random_split

assert torch is minigrad and nn is same is minigrad.nn is sys.modules["torch.nn"]
assert F is minigrad.nn.functional and conv is minigrad.nn.conv
assert lr_scheduler is minigrad.optim.lr_scheduler and Linear is nn.Linear
assert torch.nn.modules.batchnorm._BatchNorm is minigrad.nn.batchnorm._BatchNorm
assert minigrad.nn.__name__ == minigrad.nn.__spec__.name == "minigrad.nn"
assert isinstance(nn.Linear(1, 1).weight, torch.nn.Parameter)
assert pickle.loads(b"ctorch.nn.modules.linear\\nLinear\\n.") is nn.Linear
assert pickle.loads(pickle.dumps(nn.LSTM)) is nn.LSTM
t = torch.ones(2)
v = Variable(t, requires_grad=True)
assert isinstance(t, Variable) and v.requires_grad and v.data_ptr() == t.data_ptr()
for module, name in ((torch, "nothing"), (nn, "Nothing"), (F, "nothing"), (torch.optim, "Nothing")):
    try:
        getattr(module, name)
    except AttributeError as error:
        assert name in str(error) and "not in minigrad" in str(error), error
        assert "docs/coverage.md" in str(error)
    else:
        raise AssertionError(name)
    assert not hasattr(module, "__nothing__")
for name in ("torch.nothing", "torch.kernels", "torch.nn.modules.nothing"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert name in str(error) and "docs/coverage.md" in str(error) and error.name == name
    else:
        raise AssertionError(name)
for name in ("torch.nothing", "torch.nn.modules.nothing"):
    assert importlib.util.find_spec(name) is None
for name in minigrad.runner.names.MODULES:
    importlib.import_module(name)
assert importlib.util.find_spec("torch.nn").name == "minigrad.nn"
assert torch.functional is torch and torch.windows is torch.signal.windows
try:
    from torch.nn import Nothing
except ImportError as error:
    assert "Nothing" in str(error)
assert torch.__version__ >= "2.0" and torch.__version__ > (1, 13)
assert torch.__version__.split(".")[0] == "2" and minigrad.version.__version__ == "0.1.0"
print("good")
"""


def test_modules_are_minigrads_own():
    result = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": ROOT},
    )
    assert result.stdout == "good\n", result.stderr


@pytest.mark.parametrize("older", ["1.8", "2.0", "2.9.1", "2.13.0rc1", (2, 12), (1, 99, 0)])
def test_versions_compare_as_versions(older):
    version = mapped()
    assert version > older and version >= older and version != older and not version < older
    assert TorchVersion("2.13") == "2.13.0" == TorchVersion("2.13.0")
    assert TorchVersion("2.2") < "2.10" and TorchVersion("2.2") <= (2, 2)
    assert isinstance(version, str) and version.startswith("2.13.0+")


def test_the_version_is_one_for_packaging():
    parse = pytest.importorskip("packaging.version").parse
    assert parse("2.12") < parse(mapped()) and parse(mapped()).release == (2, 13, 0)


def test_the_table_names_modules_of_pytorch():
    pytest.importorskip("torch")
    for name in MODULES:
        if "tensorboard" not in name:  # needs a package of its own there
            importlib.import_module(name)
    for package, (_, files) in SPREAD.items():
        for file in files:
            importlib.import_module(f"{package}.{file}")
