"""PyTorch's private names that programs use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.runner.names import PRIVATE

ROOT = str(Path(minigrad.__file__).parent.parent)

# Every line prints; the real torch prints the same.
PROGRAM = """
import torch, torch.nn as nn, torch.nn.functional as F
from torch import _VF
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors, _take_tensors
from torch._utils import ExceptionWrapper, _get_device_index
from torch.nn.modules.activation import MultiheadAttention
from torch.nn.modules.module import _addindent, _IncompatibleKeys
from torch.nn.modules.transformer import _get_activation_fn, _get_clones
from torch.nn.modules.conv import _size_2_t, _pair, _ConvNd
from torch.optim.optimizer import _use_grad_for_differentiable, _get_value
from torch.utils.checkpoint import detach_variable, noop_context_fn, set_checkpoint_early_stop
from torch.nn.parallel.distributed import DistributedDataParallel
from torch.distributed.elastic.multiprocessing.errors import record

def outcome(f, *args, **kwargs):
    try:
        return f(*args, **kwargs)
    except Exception as error:
        return type(error).__name__

print(outcome(torch._assert, True, "a"), outcome(torch._assert, False, "a"))
for name in ("", "_index", "_type", "_value", "_not_implemented"):
    check = getattr(torch, "_check" + name)
    print(outcome(check, True), outcome(check, False, lambda: "a"), outcome(check, 1))
print(outcome(torch._check_is_size, 3), outcome(torch._check_is_size, -1))
ts = [torch.arange(6.0).view(2, 3), torch.ones(2), torch.zeros(0)]
flat = _flatten_dense_tensors(ts)
print(flat, _unflatten_dense_tensors(flat, ts), _flatten_dense_tensors(ts[:1]))
many = [torch.ones(3), torch.ones(2).long(), torch.ones(4), torch.ones(1)]
print(list(_take_tensors(many, 20)))
for given in (("cpu",), (None,), (None, True), ("cuda:1",), (3,), ("cpu", False, True)):
    print(outcome(_get_device_index, *given))
try:
    raise KeyError("lost")
except KeyError:
    print(outcome(ExceptionWrapper(where="in worker 1").reraise))
print(_addindent("a\\nb\\nc", 2), _IncompatibleKeys([], ["b"]))
print([type(m).__name__ for m in _get_clones(nn.ReLU(), 2)], _get_activation_fn("gelu") is F.gelu)
print(_pair(3), nn.modules.activation.MultiheadAttention is MultiheadAttention)
x = torch.arange(6.0).view(2, 3) / 6
print(torch._softmax(x, 1, False), torch._log_softmax(x, 0, False), torch._shape_as_tensor(x))
print(torch._dim_arange(x, 1), torch._weight_norm(x, torch.ones(2, 1)), torch._stack([x, x]).shape)
print(_VF.lstm is not None, torch.cond(True, lambda a: a + 1, lambda a: a - 1, (x,)))
print(F._Reduction.get_enum("sum"), outcome(F._Reduction.get_enum, "no"), F._none_or_dtype(x))
w, b = torch.linspace(-1, 1, 27).view(9, 3), torch.linspace(0, 1, 9)
print(F._in_projection_packed(x, x, x, w, b), F._in_projection(x, x, x, *w.chunk(3)))
mask = torch.tensor([True, False])
for m in (mask, None, torch.ones(2).long(), torch.ones(2)):
    print(outcome(F._canonical_mask, m, "m", torch.bool, "other", torch.float32))
print(torch.nn.init._no_grad_trunc_normal_(torch.zeros(2), 0.0, 1.0, -2.0, 2.0).shape)
print(torch._C._jit_set_profiling_mode(False) is not None, torch._C._get_tracing_state())
print(torch._C._log_api_usage_once("a"), torch._C._infer_size(x.shape, x[:1].shape))
print(outcome(torch._C._infer_size, x.shape, x[:, :2].shape))
print(isinstance(x, torch._C._TensorBase), torch._C.Generator is torch.Generator)

class Plain(torch.optim.Optimizer):
    @_use_grad_for_differentiable
    def step(self, closure=None):
        return torch.is_grad_enabled(), _get_value(torch.tensor(2.0)), _get_value(3)

print(Plain([torch.ones(1, requires_grad=True)], {"differentiable": False}).step())
print(detach_variable((x.clone().requires_grad_(), 3)), len(noop_context_fn()))
with set_checkpoint_early_stop(False), torch.autograd.set_multithreading_enabled(False):
    print(record(lambda: 3)(), DistributedDataParallel is nn.parallel.DistributedDataParallel)
print(torch.jit.wait(torch.jit.fork(lambda a: a + 1, 2)))
"""


def printed(*command: str) -> str:
    result = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", *command],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": ROOT},
    )
    assert not result.returncode, result.stderr
    return result.stdout


def test_they_do_what_pytorchs_do(tmp_path):
    pytest.importorskip("torch")
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    ours = printed("-m", "minigrad", str(script))
    theirs = printed(str(script))
    assert ours.splitlines() == theirs.splitlines()


def test_every_entry_of_the_table_leads_somewhere():
    program = "import minigrad, importlib\n"
    program += "from minigrad.runner.names import PRIVATE\nminigrad.install_as_torch()\n"
    program += "from minigrad.runner.finder import explain\n"
    program += "for name, names in PRIVATE.items():\n"
    program += "    module = importlib.import_module(name)\n"
    program += "    explain(module, name)\n"
    program += "    for n in names:\n"
    program += "        assert getattr(module, n) is not None, n\n"
    program += "    print(len(names))\n"
    assert printed("-c", program).split() == [str(len(names)) for names in PRIVATE.values()]
