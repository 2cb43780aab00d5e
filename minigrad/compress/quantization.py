"""Layers of integers in place of float ones, in any model: bytes instead of numbers of four.

Built from `minigrad.ao.quantization`, which is PyTorch's eager quantization step by step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import nn
from ..ao.nn import intrinsic as nni
from ..ao.nn import quantized as nnq
from ..ao.nn.chain import Chain
from ..ao.nn.quantized import dynamic as nnqd
from ..ao.quantization import (
    DeQuantStub,
    HistogramObserver,
    QConfig,
    QuantStub,
    convert,
    default_per_channel_weight_observer,
    per_channel_dynamic_qconfig,
    prepare,
)
from ._names import chosen
from ._run import arguments, copied, evaluating
from .fusion import fuse_conv_bn

__all__ = ["quantize"]

_DYNAMIC: dict[type, Any] = {
    nn.Linear: nnqd.Linear, nn.Conv1d: nnqd.Conv1d, nn.Conv2d: nnqd.Conv2d,
}  # fmt: skip
_WITH_RELU: dict[type, Any] = {
    nn.Linear: nni.LinearReLU, nn.Conv1d: nni.ConvReLU1d, nn.Conv2d: nni.ConvReLU2d,
}  # fmt: skip
# What works on integers as it is, between layers that do.
_BETWEEN = (
    nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Dropout, nn.Dropout2d, nn.Flatten, nn.Identity,
    nn.MaxPool1d, nn.MaxPool2d, nn.ReLU, nn.ReLU6, nn.Unflatten,
)  # fmt: skip


def _simple(module: Any) -> bool:
    """Whether calling the module is all that anybody does with it."""
    hooks = module._forward_hooks or module._forward_pre_hooks
    return not hooks and not nn.utils.parametrize.is_parametrized(module)


def _can(module: Any) -> bool:
    if type(module) not in _DYNAMIC or not _simple(module):
        return False
    if isinstance(module, nn.Linear):
        return module.in_features <= 65535
    sides = module._reversed_padding_repeated_twice
    even = sides[::2] == sides[1::2]
    return even and module.padding_mode == "zeros" and module.weight[0].numel() <= 65535


def _places(model: Any) -> dict[int, list[str]]:
    """The names of each module, of which shared ones have several."""
    found: dict[int, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        found.setdefault(id(module), []).append(name)
    return found


def _put(model: Any, places: dict[int, list[str]], module: Any, new: Any) -> None:
    for name in places[id(module)]:
        model.set_submodule(name, new)


def _chain(modules: list[Any], qconfig: Any) -> Any:
    parts: list[Any] = []
    for module in modules:
        last = type(parts[-1]) if parts else None
        if isinstance(module, nn.ReLU) and last in _WITH_RELU:
            parts[-1] = _WITH_RELU[last](parts[-1], nn.ReLU())
        elif not isinstance(module, nn.Identity):
            parts.append(module)
    chain = Chain(QuantStub(), *parts, DeQuantStub())
    chain.qconfig = qconfig
    return chain


def _runs(model: Any, wanted: set[int], places: dict[int, list[str]]) -> list[tuple[Any, list]]:
    """(container, names of children) that follow each other and can work on integers together.

    They begin and end with layers that are wanted; only `nn.Sequential` says what follows what.
    """
    found = []
    for parent in model.modules():
        if type(parent) is not nn.Sequential:
            continue
        run: list[str] = []
        for name, child in [*parent.named_children(), ("", None)]:
            alone = child is not None and len(places[id(child)]) == 1
            layer = id(child) in wanted
            if alone and (layer or (run and isinstance(child, _BETWEEN) and _simple(child))):
                run.append(name)
                continue
            found.append((parent, run))
            run = []
    return [(parent, run) for parent, run in found if run]


def _trimmed(parent: Any, run: list[str]) -> list[str]:
    """Without what follows the last layer, but a relu."""
    layers = [i for i, name in enumerate(run) if type(parent._modules[name]) in _DYNAMIC]
    end = layers[-1] + 1
    follows = end < len(run) and isinstance(parent._modules[run[end]], nn.ReLU)
    return run[: end + follows]


def _static(model: Any, layers: list[Any], batches: Iterable, observer: Any) -> Any:
    qconfig = QConfig(observer, default_per_channel_weight_observer)
    places = _places(model)
    left = {id(m): m for m in layers}
    for parent, run in _runs(model, set(left), places):
        names = _trimmed(parent, run)
        modules = [parent._modules[name] for name in names]
        setattr(parent, names[0], _chain(modules, qconfig))
        for name in names[1:]:
            setattr(parent, name, nn.Identity())
        for module in modules:
            left.pop(id(module), None)
    for module in left.values():
        _put(model, places, module, _chain([module], qconfig))
    prepare(model, inplace=True)
    count = 0
    with evaluating(model):
        for batch in batches:
            model(*arguments(batch))
            count += 1
    if not count:
        raise ValueError("quantize: calibration has no batch; one or more are needed")
    convert(model, inplace=True)
    for chain in model.modules():
        if isinstance(chain, Chain) and isinstance(chain[-2], (nnq.Linear, nnq.Conv1d, nnq.Conv2d)):
            chain[-2].real = True  # results as they are, not rounded once more
            chain[-1] = nn.Identity()
    return model


def _dynamic(model: Any, layers: list[Any]) -> Any:
    places = _places(model)
    for layer in layers:
        layer.qconfig = per_channel_dynamic_qconfig
        new = _DYNAMIC[type(layer)].from_float(layer)
        new.reduce_range = False  # all eight bits: sums do not overflow here
        new.rows = True
        _put(model, places, layer, new)
    return model


def quantize(
    model: Any,
    example_inputs: Any,
    *,
    mode: str = "dynamic",
    calibration: Iterable | None = None,
    layers: Any = None,
    fuse: bool = True,
    observer: Any = None,
) -> tuple[Any, list[str]]:
    """A copy of `model` for evaluation whose layers compute with int8 weights, and their names.

    Linear, Conv1d and Conv2d layers (`layers`: only these names or patterns) get int8 weights with
    a scale for each output. Inputs become bytes by their range: with mode "dynamic" by that of each
    row (Linear) or batch (convolutions) while the model runs; with "static" by ranges that are
    observed on `calibration`, batches as `example_inputs` (by default these), which costs less time
    and lets layers that follow each other in an `nn.Sequential` hand on bytes. `observer` chooses
    static ranges (HistogramObserver). `fuse`: batch norms are computed by the layers before them.
    Bytes are a quarter; arithmetic is 4 times as fast as float32's on CPUs with VNNI.

    ValueError for names that fit no layer or an unknown mode; RuntimeError for a model that reads a
    layer's weight instead of calling the layer: leave it out by `layers`.
    """
    if mode not in ("dynamic", "static"):
        raise ValueError(f"quantize: mode {mode!r} was given; needed: 'dynamic' or 'static'")
    if mode == "dynamic" and not (calibration is None and observer is None):
        raise ValueError("quantize: calibration and observer belong to mode='static'")
    new = (fuse_conv_bn(model, example_inputs)[0] if fuse else copied(model)).eval()
    able = {name: m for name, m in new.named_modules() if _can(m)}
    names = list(able) if layers is None else chosen("quantize", able, layers)
    if not names:
        raise ValueError("quantize: the model has no Linear, Conv1d or Conv2d layer to quantize")
    taken = [able[name] for name in names]
    if id(new) in map(id, taken):  # the model is a layer
        new = nn.Sequential(new)
    if mode == "dynamic":
        new = _dynamic(new, taken)
    else:
        batches = [example_inputs] if calibration is None else calibration
        new = _static(new, taken, batches, HistogramObserver if observer is None else observer)
    try:
        with evaluating(new):
            new(*arguments(example_inputs))
    except (AttributeError, TypeError, NotImplementedError) as error:
        raise RuntimeError(
            f"quantize: the model does not run with its layers replaced ({error}); needed: a model "
            "that calls its layers, or `layers` without those whose weights it reads"
        ) from error
    return new.eval(), names
