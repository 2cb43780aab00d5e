"""Every layer beside PyTorch's on the samples of PyTorch's own module tests.

PyTorch's catalogue of modules (`module_db`) makes constructor arguments and inputs for each of
them, and arguments that must fail. For each module that minigrad has under the same name: the same
repr, state_dict with its metadata, start values for a seed, outputs, gradients of inputs and
parameters, buffers afterwards, and errors of the same class.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from test_operator_samples import convert, leaves

import minigrad as mg

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db  # noqa: E402

INFOS = [info for info in module_db if hasattr(mg.nn, info.name.removeprefix("nn."))]
RANDOM = {
    "nn.AlphaDropout", "nn.Dropout", "nn.Dropout1d", "nn.Dropout2d", "nn.Dropout3d",
    "nn.FeatureAlphaDropout",
}  # fmt: skip
TOLERANCE = {"float64": (1e-7, 1e-8), "float32": (2e-4, 2e-5)}


def arguments(value: Any) -> Any:
    """PyTorch's arguments as minigrad's; modules among them are made anew."""
    if isinstance(value, dict):
        return {k: arguments(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(map(arguments, value))
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        attention, hidden = value.self_attn, value.linear1.out_features
        activation = arguments(value.activation)
        sizes = (attention.embed_dim, attention.num_heads, hidden, value.dropout.p, activation)
        options = {"batch_first": attention.batch_first, "norm_first": value.norm_first}
        options["bias"] = value.linear1.bias is not None
        options["dtype"] = convert(value.linear1.weight.dtype)
        layer = mg.nn.TransformerEncoderLayer(*sizes, **options)
        layer.load_state_dict({k: convert(v, copy=True) for k, v in value.state_dict().items()})
        return layer
    if isinstance(value, torch.nn.Module):
        return getattr(mg.nn, type(value).__name__)()
    if callable(value) and getattr(torch.nn.functional, value.__name__, None) is value:
        return getattr(mg.nn.functional, value.__name__)
    return convert(value, copy=True)


def make(lib: Any, info: Any, given: Any, dtype: str, training: bool) -> Any:
    args, kwargs = given.args, given.kwargs
    if lib is mg:
        args, kwargs = arguments(args), arguments(kwargs)
    lib.manual_seed(0)
    module = getattr(lib.nn, info.name.removeprefix("nn."))(*args, **kwargs)
    return module.to(getattr(lib, dtype)).train(training)


def weighted(lib: Any, outputs: list) -> Any:
    """A number that depends on all outputs, each element with a weight of its own."""
    total = 0.0
    for out in outputs:
        if out.requires_grad:
            weights = lib.linspace(-1, 1, out.numel(), dtype=lib.float64).reshape(out.shape)
            total = total + (out.double() * weights).sum()
    return total


def run(lib: Any, info: Any, sample: Any, dtype: str, training: bool) -> list[tuple[str, Any]]:
    """What there is to compare after a forward and a backward: (name, value) pairs."""
    module = make(lib, info, sample.constructor_input, dtype, training)
    args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
    if lib is mg:
        args, kwargs = arguments(args), arguments(kwargs)
    else:
        args = tuple(
            a.detach().clone().requires_grad_(a.requires_grad) if isinstance(a, torch.Tensor) else a
            for a in args
        )
    state = module.state_dict()
    found = [("repr", repr(module)), ("metadata", dict(state._metadata)), *state.items()]
    for i, (name, v) in enumerate(found):
        if lib.nn.parameter.is_lazy(v):
            found[i] = (name, repr(v))
        elif isinstance(v, lib.Tensor):
            found[i] = (name, v.clone())
    outputs = [out for out in leaves(module(*args, **kwargs)) if out is not None]
    if info.name not in RANDOM:
        total = weighted(lib, outputs)
        if isinstance(total, lib.Tensor):
            total.backward()
        found += [("output", out) for out in outputs]
        found += [("grad", a.grad) for a in args if isinstance(a, lib.Tensor) and a.requires_grad]
    found += [(f"{name}.grad", p.grad) for name, p in module.named_parameters()]
    return found + list(module.named_buffers())


def check(ours: Any, theirs: Any, dtype: str) -> None:
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs
        return
    assert str(ours.dtype) == str(theirs.dtype)
    assert ours.requires_grad == theirs.requires_grad
    rtol, atol = TOLERANCE[dtype]
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=atol, strict=True
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_samples(info: Any, dtype: str) -> None:
    if getattr(torch, dtype) not in info.dtypes:
        pytest.skip("PyTorch has no samples of this dtype")
    for training in (True, False):
        options = {"dtype": getattr(torch, dtype), "requires_grad": True, "training": training}
        for sample in info.module_inputs_func(info, device="cpu", **options):
            if sample.forward_input is None or (info.name == "nn.RReLU" and training):
                continue
            theirs = run(torch, info, sample, dtype, training)
            ours = run(mg, info, sample, dtype, training)
            for (name, a), (other, b) in itertools.zip_longest(ours, theirs):
                assert name == other
                check(a, b, dtype)


@pytest.mark.parametrize(
    "info", [i for i in INFOS if i.module_error_inputs_func], ids=lambda info: info.name
)
def test_errors(info: Any) -> None:
    options = {"dtype": torch.float64, "requires_grad": False, "training": True}
    for bad in info.module_error_inputs_func(info, device="cpu", **options):
        sample = bad.module_error_input
        classes = []
        for lib in (torch, mg):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    if bad.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
                        make(lib, info, sample.constructor_input, "float64", True)
                    else:
                        run(lib, info, sample, "float64", True)
                except Exception as error:
                    classes.append(type(error).__name__)
                else:
                    classes.append("no error")
        assert classes[0] == classes[1]
