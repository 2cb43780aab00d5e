"""Samples of PyTorch's operator tests on the emulated GPU: values and gradients are the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import on_gpu

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from operator_tables import EXCLUDED, RANDOM, SKIPPED  # noqa: E402
from test_operator_samples import convert, find, leaves, op_db, tensors  # noqa: E402

COUNT = 2  # samples of a type
TOLERANCE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-4, "float64": 1e-9}
# What raises: without a form on a GPU. PyTorch has no histograms there either.
MISSING = ("histogram", "histogramdd", "linalg.ldl_solve")
LEFT_OUT = {*EXCLUDED, *SKIPPED, *RANDOM, "linspace", "logspace"}  # these make tensors
OPERATORS = [op for op in op_db if op.name not in LEFT_OUT and find(op.name) is not None]


def sent(value: Any) -> Any:
    """A nest of arguments with the tensors on the GPU, and no other device asked for."""
    if isinstance(value, mg.Tensor):
        return value.detach().cuda().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: sent(v) for k, v in value.items() if k != "device"}
    return type(value)(map(sent, value)) if type(value) in (list, tuple) else value


def gradients(results: Any, given: Any) -> list:
    outs, ins = tensors(results, mg.Tensor), tensors(given, mg.Tensor)
    if not outs or not ins:
        return []
    total = sum(out.float().sum() for out in outs)
    found = mg.autograd.grad(total, ins, allow_unused=True)
    return [g for g in found if g is not None]


def compare(there: Any, here: Any) -> None:
    there, here = leaves(there), leaves(here)
    assert len(there) == len(here)
    for a, b in zip(there, here, strict=True):
        if isinstance(b, mg.Tensor):
            assert on_gpu(a._array) and a.dtype == b.dtype and a.shape == b.shape
            x, y = (np.asarray(t.detach().cpu()._array, np.float64) for t in (a, b))
            tolerance = TOLERANCE.get(b.dtype.name, 0)
            np.testing.assert_allclose(x, y, tolerance, tolerance, equal_nan=True)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.name + op.variant_test_name)
def test_as_on_the_cpu(op: Any) -> None:
    f = find(op.name)
    assert f is not None
    for name in ("float32", "bfloat16"):
        dtype = getattr(torch, name)
        if dtype not in op.supported_dtypes("cpu"):
            continue
        differentiable = name == "float32" and op.supports_autograd
        samples = op.sample_inputs("cpu", dtype, requires_grad=differentiable)
        for _, sample in zip(range(COUNT), samples, strict=False):
            try:
                given = [convert(v, True) for v in (sample.input, *sample.args)]
                options = convert({k: v for k, v in sample.kwargs.items() if k != "device"}, True)
                mg.manual_seed(1)
                here = f(*given, **options)
                slopes = gradients(here, [given, list(options.values())])
            except Exception:  # what the CPU does not take is its own tests' matter
                continue
            if not any(isinstance(v, mg.Tensor) for v in leaves(given)):
                continue
            copies, named = sent(given), sent(options)
            if op.name in MISSING:
                with pytest.raises(NotImplementedError, match="no GPU form yet"):
                    f(*copies, **named)
                continue
            mg.manual_seed(1)
            there = f(*copies, **named)
            compare(there, here)
            compare(gradients(there, [copies, list(named.values())]), slopes)
