"""Every operation beside PyTorch's on the samples of PyTorch's own operator tests.

PyTorch's catalogue of operators (`op_db`) makes arguments for each of them, and calls that must
fail. For each operator that minigrad has under the same name, each sample must give the same
values, dtypes, shapes and first gradients, also as a method, in place and with `out=`, and each bad
call an error of the same class. `OPERATOR_SAMPLES=1000` compares all samples, not the first few.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
from operator_tables import (  # noqa: E402
    ADAPTED,
    EXCLUDED,
    EXCLUDED_CHECKS,
    RANDOM,
    SEED,
    SKIPPED,
    TIES,
    UP_TO_SIGNS,
)  # fmt: skip
from torch.testing._internal import common_utils  # noqa: E402
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

LIMIT = int(os.environ.get("OPERATOR_SAMPLES", "3"))
DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip
TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-5, "float64": 1e-9}


def find(name: str) -> Callable | None:
    """minigrad's function of a dotted name, or its method."""
    if name in ADAPTED:
        return ADAPTED[name]
    owner: Any = mg
    for part in name.split("."):
        owner = getattr(owner, part, None)
    if callable(owner):
        return owner
    method = getattr(mg.Tensor, name, None)
    if isinstance(method, property):
        return lambda x: getattr(x, name)
    return method if callable(method) else None


def convert(value: Any, copy: bool = False) -> Any:
    """A nest of PyTorch's arguments as minigrad's; a tensor shares its memory unless `copy`."""
    if isinstance(value, torch.Tensor):
        source = value.detach()
        source = source.clone() if copy or source._is_zerotensor() else source
        if value.dtype == torch.bfloat16:
            array = source.view(torch.int16).numpy().view(mg.bfloat16.numpy)
        else:
            array = source.numpy()
        return mg.from_numpy(array).requires_grad_(value.requires_grad)
    if isinstance(value, torch.dtype):
        return getattr(mg, str(value).removeprefix("torch."))
    if isinstance(value, torch.Size):
        return mg.Size(value)
    if isinstance(value, (list, tuple)):
        return type(value)(convert(v, copy) for v in value)
    if isinstance(value, dict):
        return {k: convert(v, copy) for k, v in value.items()}
    if isinstance(value, torch.nn.PairwiseDistance):
        return mg.nn.functional.pairwise_distance
    if isinstance(value, (torch.memory_format, torch.layout, torch.Generator)):
        raise NotImplementedError(f"minigrad has no {type(value).__name__}")
    return str(value) if isinstance(value, torch.device) else value


def doubled(value: Any) -> Any:
    """A nest of PyTorch's arguments with the floating-point tensors in float64."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().double().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: doubled(v) for k, v in value.items()}
    return type(value)(map(doubled, value)) if type(value) in (list, tuple) else value


def leaves(value: Any) -> list:
    """The tensors and numbers of a nest, in order."""
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in leaves(v)]
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in leaves(v)]
    return [value]


def tensors(value: Any, cls: type) -> list:
    """The tensors of a nest that require a gradient."""
    return [v for v in leaves(value) if isinstance(v, cls) and v.requires_grad]


def differ(ours: Any, theirs: Any, exact: Callable[[], Any] | None = None) -> str:
    """How two results differ; empty where they do not.

    `exact` computes the results in float64: where PyTorch's have rounding errors, so may ours.
    """
    left, right = leaves(ours), leaves(theirs)
    if len(left) != len(right):
        return f"{len(left)} results, not {len(right)}"
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        if isinstance(b, torch.Tensor) != isinstance(a, mg.Tensor):
            return f"{type(a).__name__}, not {type(b).__name__}"
        if isinstance(b, torch.Tensor):
            text = _differ(a, b, lambda i=i: leaves(exact())[i] if exact else None)
        else:
            text = "" if a == convert(b) or (a != a and b != b) else f"{a}, not {b}"
        if text:
            return text
    return ""


def _differ(a: Any, b: Any, exact: Callable[[], Any]) -> str:
    name = str(b.dtype).removeprefix("torch.")
    if a.dtype.name != name or tuple(a.shape) != tuple(b.shape):
        return f"{a.dtype.name} {tuple(a.shape)}, not {name} {tuple(b.shape)}"
    if a.requires_grad != b.requires_grad:
        return f"requires_grad is {a.requires_grad}, not {b.requires_grad}"
    x, y = (np.asarray(v.detach().numpy(), np.float64) for v in (a, convert(b)))
    tolerance = TOLERANCE.get(name, 0)
    same = np.isclose(x, y, tolerance, tolerance, equal_nan=True)
    if same.all():
        return ""
    best = exact() if tolerance else None
    if isinstance(best, torch.Tensor) and tuple(best.shape) == y.shape:
        z = best.detach().double().numpy()
        same |= np.abs(x - z) <= 2 * np.abs(y - z) + tolerance * (1 + np.abs(z))
        if same.all():
            return ""
    at = np.unravel_index(np.argmin(same), x.shape)
    return f"{x[at]}, not {y[at]}, at {list(map(int, at))}"


def call(f: Callable, args: tuple, kwargs: dict) -> Any:
    """A call's result, or the exception it raised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mg.manual_seed(SEED)
            return f(*args, **kwargs)
    except Exception as error:
        return error


class Comparison:
    """Runs the samples of one operator; `failures` holds a line for each difference."""

    def __init__(self, op: Any, limit: int):
        self.op, self.limit = op, limit
        self.ours = ADAPTED.get(op.full_name) or find(op.name)
        self.failures: list[str] = []
        self.compared = 0

    def note(self, check: str, sample: Any, text: str) -> None:
        """Records a failure, unless the check is excluded."""
        if text and (self.op.name, check) not in EXCLUDED_CHECKS:
            shown = [_shown(v) for v in (sample.input, *sample.args)]
            shown += [f"{k}={_shown(v)}" for k, v in sample.kwargs.items()]
            self.failures.append(f"{self.op.name} {check} ({', '.join(shown)}): {text}")

    def samples(self, dtype: str, grad: bool) -> Iterator[Any]:
        """The first samples that PyTorch can make."""
        try:
            # The function itself: the method `sample_inputs` walks the whole stack each time.
            made = self.op.sample_inputs_func(self.op, "cpu", getattr(torch, dtype), grad)
            skip = SKIPPED.get(self.op.name, lambda sample: False)
            yield from (s for s in itertools.islice(made, self.limit) if not skip(s))
        except Exception:  # noqa: BLE001 -- its generators refuse some dtypes
            return

    def run(self) -> None:
        """All checks, over all dtypes."""
        common_utils.set_rng_seed(0)
        for dtype in DTYPES:
            for sample in self.samples(dtype, False):
                self.values(sample)
            derived = self.op.supported_backward_dtypes("cpu")
            if dtype in ("float32", "float64") and getattr(torch, dtype) in derived:
                for sample in self.samples(dtype, True):
                    self.gradient(sample)
        self.errors()

    def values(self, sample: Any) -> None:
        """Result, method, in-place form and `out=` of one sample."""
        args = (sample.input, *sample.args)
        expected = call(self.op.op, *_cloned(args, sample.kwargs))
        try:
            own = convert(args), convert(sample.kwargs)
        except NotImplementedError:
            return
        if isinstance(expected, Exception):
            found = call(self.ours, *own)
            if not isinstance(expected, NotImplementedError) and not isinstance(found, Exception):
                self.note("error", sample, f"no error; {type(expected).__name__}: {expected}")
            return
        self.compared += 1
        copies = convert(args, copy=True), convert(sample.kwargs, copy=True)
        self.note("value", sample, self.result(call(self.ours, *copies), expected, sample))
        has_input = isinstance(sample.input, torch.Tensor)
        if self.op.method_variant is not None and has_input:
            method = getattr(mg.Tensor, self.op.name.split(".")[-1], None)
            found = AttributeError("no method") if method is None else call(method, *own)
            self.note("method", sample, self.result(found, expected, sample))
        if self.op.inplace_variant is not None and has_input:
            self.in_place(sample)
        if self.op.supports_out and all(isinstance(v, torch.Tensor) for v in leaves(expected)):
            self.out(sample, own, expected)

    def unique(self, sample: Any, result: Any) -> Any:
        """What of a result is compared."""
        if self.op.name in UP_TO_SIGNS and not isinstance(result, Exception):
            return sample.output_process_fn_grad(result)
        return result

    def result(self, found: Any, expected: Any, sample: Any) -> str:
        """How a result differs from the expected one."""
        if isinstance(found, Exception):
            return f"{type(found).__name__}: {found}"
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        found, expected = self.unique(sample, found), self.unique(sample, expected)

        def exact() -> Any:
            return self.unique(sample, call(self.op.op, doubled(args), doubled(kwargs)))

        text = differ(found, expected, exact)
        if text and self.op.name in TIES:
            return _tied(args, kwargs, TIES[self.op.name], found, expected)
        return text

    def in_place(self, sample: Any) -> None:
        """The form with an underscore, or with `inplace=True`."""
        args, kwargs = _cloned((sample.input, *sample.args), sample.kwargs)
        own = convert(args, copy=True), convert(kwargs, copy=True)
        expected = call(self.op.inplace_variant, args, kwargs)
        name = self.op.name.removesuffix("_")
        function = getattr(mg.Tensor, f"{name}_", None)
        if "." in name:
            function = find(f"{name}_")
            if function is None:
                function, own = self.ours, (own[0], {**own[1], "inplace": True})
        found = AttributeError(f"no {name}_") if function is None else call(function, *own)
        if isinstance(expected, Exception):
            if not isinstance(found, Exception):
                self.note("inplace", sample, f"no error; {type(expected).__name__}: {expected}")
            return
        text = self.result(found, expected, sample)
        self.note("inplace", sample, text or ("" if found is own[0][0] else "another tensor"))

    def out(self, sample: Any, own: tuple, expected: Any) -> None:
        """`out=` of the result's dtype, with its shape and without elements."""
        args, kwargs = own
        for empty in (False, True):
            made = [
                mg.empty((0,) if empty else tuple(e.shape), dtype=convert(e.dtype))
                for e in leaves(expected)
            ]
            out = made[0] if isinstance(expected, torch.Tensor) else tuple(made)
            found = call(self.ours, args, {**kwargs, "out": out})
            text = self.result(found, expected, sample) or self.result(out, expected, sample)
            self.note("out", sample, text)

    def gradient(self, sample: Any) -> None:
        """First gradients of one sample, for results weighted by fixed numbers."""
        args, kwargs = (sample.input, *sample.args), sample.kwargs
        try:
            own = convert(args), convert(kwargs)
        except NotImplementedError:
            return
        expected = call(self.op.op, args, kwargs)
        if isinstance(expected, Exception):
            return
        found = call(self.ours, *own)
        if isinstance(found, Exception):
            self.note("grad", sample, self.result(found, expected, sample))
            return
        found, expected = self.unique(sample, found), self.unique(sample, expected)
        ends = tensors(expected, torch.Tensor)
        rng = np.random.default_rng(0)
        weights = [torch.from_numpy(np.asarray(rng.normal(size=e.shape))).to(e.dtype) for e in ends]

        def theirs(ends: list, args: Any, kwargs: Any) -> Any:
            starts = tensors((args, kwargs), torch.Tensor)
            scales = [w.to(e.dtype) for w, e in zip(weights, ends, strict=True)]
            return call(torch.autograd.grad, (ends, starts, scales), {"allow_unused": True})

        def exact() -> Any:
            wide = doubled(args), doubled(kwargs)
            result = self.unique(sample, call(self.op.op, *wide))
            return theirs(tensors(result, torch.Tensor), *wide)

        expected = theirs(ends, args, kwargs) if ends else ()
        if isinstance(expected, Exception):
            return
        self.compared += 1
        given = tensors(found, mg.Tensor), tensors(own, mg.Tensor), convert(weights)
        found = call(mg.autograd.grad, given, {"allow_unused": True}) if ends else ()
        if isinstance(found, Exception):
            self.note("grad", sample, f"{type(found).__name__}: {found}")
        else:
            self.note("grad", sample, differ(found, expected, exact))

    def errors(self) -> None:
        """The calls that must fail, with the class of error that PyTorch raises."""
        for bad in self.op.error_inputs_func(self.op, "cpu") if self.op.error_inputs_func else ():
            sample = bad.sample_input
            args = (sample.input, *sample.args)
            try:
                own = convert(args), convert(sample.kwargs)
            except (NotImplementedError, TypeError, AttributeError, ValueError):
                continue  # complex numbers, sparse tensors, more than 64 dimensions
            expected = call(self.op.op, args, sample.kwargs)
            found = call(self.ours, *own)
            if not isinstance(expected, Exception) or isinstance(found, type(expected)):
                continue
            text = (
                f"{type(found).__name__}: {found}" if isinstance(found, Exception) else "no error"
            )
            self.note("error", sample, f"{text}; not {type(expected).__name__}: {expected}")


def _tied(args: tuple, kwargs: dict, position: int, found: Any, expected: Any) -> str:
    """How results that hold indices differ in the elements that the indices choose."""
    x, dim = args[0], kwargs.get("dim", args[position] if len(args) > position else -1)

    def chosen(index: Any) -> Any:
        index = index if index.ndim == x.ndim else index.unsqueeze(dim)
        return x.gather(dim, index)

    *values, index = leaves(found)
    *wanted, best = leaves(expected)
    if index.dtype.name != "int64" or tuple(index.shape) != tuple(best.shape):
        return f"{index.dtype.name} {tuple(index.shape)}, not int64 {tuple(best.shape)}"
    same = torch.equal(chosen(torch.from_numpy(index.numpy())), chosen(best))
    return differ(values, wanted) or ("" if same else "indices of other elements")


def _cloned(args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    def clone(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().clone()
        return type(value)(map(clone, value)) if type(value) in (list, tuple) else value

    return clone(args), {k: clone(v) for k, v in kwargs.items()}


def _shown(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if type(value) in (list, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)


def compared() -> list[Any]:
    """The operators that minigrad has and that can be compared."""
    left_out = RANDOM | EXCLUDED.keys()
    return [op for op in op_db if not {op.name, op.full_name} & left_out and find(op.name)]


@pytest.fixture(autouse=True)
def _pytorch_stream() -> Iterator[None]:
    """Dropout masks that follow PyTorch's stream of random numbers."""
    before = mg.random.match_torch()
    mg.random.match_torch(True)
    yield
    mg.random.match_torch(before)


@pytest.mark.parametrize("op", compared(), ids=lambda op: op.full_name)
def test_samples(op: Any) -> None:
    comparison = Comparison(op, LIMIT)
    comparison.run()
    assert not comparison.failures, "\n".join(comparison.failures[:20])
