"""vmap of every operator, on the samples of PyTorch's operator tests, beside a loop over the batch.

Of each sample a batch of three is made: for all tensors at once, and for each tensor alone. The map
must give what the function gives for each, stacked, in values and in gradients.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_operator_samples import RANDOM, convert, find

import minigrad as mg

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

LIMIT = int(os.environ.get("OPERATOR_SAMPLES", "3"))
BATCH = 3

# Operators whose results have a shape, or are a Python value, that depends on the elements.
DYNAMIC = {
    "allclose", "argwhere", "bincount", "equal", "histc", "item", "masked_select", "nonzero",
    "nonzero_static", "tolist", "unique", "unique_consecutive",
}  # fmt: skip
EXCLUDED = {
    "linalg_pinv_singular": "samples are factors of the argument",
    "as_strided": "samples count from the start of a memory that batches do not have",
    "as_strided_copy": "the same",
    "as_strided_scatter": "the same",
    "data_ptr": "a batch has other memory",
    "nn.functional.dropout": "random",
    "nn.functional.dropout2d": "random",
    "nn.functional.dropout3d": "random",
    "nn.functional.alpha_dropout": "random",
    "nn.functional.feature_alpha_dropout": "random",
    "nn.functional.rrelu": "random",
    "cauchy": "random", "exponential": "random", "geometric": "random", "log_normal": "random",
    "uniform": "random", "to_sparse": "sparse", "sparse.mm": "sparse", "sparse.sampled_addmm": "s",
}  # fmt: skip


# Errors that are meant: operators, and what PyTorch says for them too.
MEANT = {
    "nn.functional.fractional_max_pool2d": "randomness",
    "nn.functional.fractional_max_pool3d": "randomness",
    "pca_lowrank": "randomness",
    "svd_lowrank": "randomness",
    "__getitem__": "dynamic shape",
    "nn.functional.batch_norm": "running_mean",
    "nn.functional.instance_norm": "running_mean",
    "nn.functional.multi_head_attention_forward": "randomness",
    "nn.functional.one_hot": "dynamic shape",
    "nn.functional.scaled_dot_product_attention": "randomness",
}


def _tensors(value: Any) -> list:
    if isinstance(value, mg.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in _tensors(v)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _tensors(v)]
    return []


def _fill(value: Any, new: Any) -> Any:
    if isinstance(value, mg.Tensor):
        return next(new)
    if isinstance(value, (list, tuple)):
        items = [_fill(v, new) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {k: _fill(v, new) for k, v in value.items()}
    return value


def _batch(t: Any) -> Any:
    """Three versions of a tensor; floats are scaled, so that the samples differ."""
    parts = [t.detach() * f if t.is_floating_point() else t.detach() for f in (1.0, 0.9, 0.8)]
    return mg.stack([p.to(t.dtype) for p in parts])


def _same(got: Any, wanted: Any, tolerance: float) -> None:
    if isinstance(wanted, mg.Tensor):
        assert got.dtype == wanted.dtype, (got.dtype, wanted.dtype)
        assert got.shape == wanted.shape, (got.shape, wanted.shape)
        np.testing.assert_allclose(
            got.detach().numpy().astype(np.float64), wanted.detach().numpy().astype(np.float64),
            rtol=tolerance, atol=tolerance,
        )  # fmt: skip
    elif isinstance(wanted, (list, tuple)):
        assert len(got) == len(wanted)
        for g, w in zip(got, wanted, strict=True):
            _same(g, w, tolerance)


def _stack(results: list) -> Any:
    if isinstance(results[0], mg.Tensor):
        return mg.stack(results)
    if isinstance(results[0], (list, tuple)):
        return tuple(_stack(list(column)) for column in zip(*results, strict=True))
    raise TypeError("no tensor")


def _floats(result: Any) -> list:
    return [t for t in _tensors(result) if t.is_floating_point() and t.requires_grad]


def check(function: Callable, sample: Any, which: tuple[int, ...], tolerance: float) -> None:
    arguments = (sample.input, sample.args, sample.kwargs)
    own = _tensors(arguments)
    if not own:
        return
    chosen = [i for i in range(len(own)) if not which or i in which]

    def call(*tensors: Any) -> Any:
        given, args, kwargs = _fill(arguments, iter(tensors))
        result = function(given, *args, **kwargs)
        return tuple(result) if isinstance(result, (list, tuple)) else result

    batches = [_batch(t) if i in chosen else t.detach() for i, t in enumerate(own)]
    leaves = [b.clone() for b in batches]
    for t, b in zip(own, leaves, strict=True):
        b.requires_grad_(t.requires_grad)
    try:
        samples = [[b[n] if i in chosen else b for i, b in enumerate(leaves)] for n in range(BATCH)]
        wanted = _stack([call(*s) for s in samples])
    except (TypeError, RuntimeError, IndexError, ValueError):
        return  # the scaled sample is none
    again = [b.detach().clone().requires_grad_(b.requires_grad) for b in leaves]
    in_dims = tuple(0 if i in chosen else None for i in range(len(own)))
    got = mg.vmap(call, in_dims=in_dims)(*again)
    _same(got, wanted, tolerance)
    ours, theirs = _floats(got), _floats(wanted)
    assert len(ours) == len(theirs)
    if not ours:
        return
    sum((t * (t.detach() * 0.1 + 1)).sum() for t in theirs).backward()
    sum((t * (t.detach() * 0.1 + 1)).sum() for t in ours).backward()
    for a, b in zip(again, leaves, strict=True):
        if b.grad is not None:
            assert a.grad is not None or not a.numel()
            if a.numel():
                _same(a.grad, b.grad, tolerance * 10)


def _ops() -> list:
    wanted = []
    for op in op_db:
        excluded = op.name in EXCLUDED or op.formatted_name in EXCLUDED
        if op.name in RANDOM | DYNAMIC or excluded or find(op.name) is None:
            continue
        wanted.append(op)
    return wanted


@pytest.mark.parametrize("op", _ops(), ids=lambda op: op.formatted_name)
def test_map_equals_loop(op: Any) -> None:
    function = find(op.name)
    dtype = torch.float64 if torch.float64 in op.dtypes else torch.int64
    if dtype not in op.dtypes:
        pytest.skip("neither float64 nor int64")
    count = 0
    samples = op.sample_inputs(
        "cpu", dtype, requires_grad=dtype is torch.float64 and op.supports_autograd
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for theirs in samples:
            if count == LIMIT:
                break
            try:
                sample = theirs.transform(convert)
                result = function(sample.input, *sample.args, **sample.kwargs)
            except (NotImplementedError, TypeError, RuntimeError, AttributeError, ValueError):
                continue
            if not _tensors(result):
                continue
            count += 1
            n = len(_tensors((sample.input, sample.args, sample.kwargs)))
            for which in [(), *[(i,) for i in range(n if n > 1 else 0)]]:
                try:
                    check(function, sample, which, 1e-9)
                except RuntimeError as error:
                    if MEANT.get(op.name, "no such message") not in str(error):
                        raise
