"""From a float model to one of integers: `prepare`, batches, `convert`; or in one step, dynamic."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ... import dtypes, nn
from ..nn import intrinsic as nni
from ..nn import qat as nnqat
from ..nn import quantized as nnq
from ..nn.quantized import dynamic as nnqd
from .fake_quantize import FakeQuantizeBase
from .observer import ObserverBase, PlaceholderObserver
from .qconfig import default_dynamic_qconfig
from .stubs import DeQuantStub, QuantStub

__all__ = [
    "convert",
    "get_default_dynamic_quant_module_mappings",
    "get_default_qat_module_mappings",
    "get_default_static_quant_module_mappings",
    "prepare",
    "prepare_qat",
    "propagate_qconfig_",
    "quantize",
    "quantize_dynamic",
    "quantize_qat",
    "swap_module",
]

_STATIC: dict[type, Any] = {
    QuantStub: nnq.Quantize,
    DeQuantStub: nnq.DeQuantize,
    nn.Linear: nnq.Linear,
    nn.Conv1d: nnq.Conv1d,
    nn.Conv2d: nnq.Conv2d,
    nni.LinearReLU: nni.quantized.LinearReLU,
    nni.ConvReLU1d: nni.quantized.ConvReLU1d,
    nni.ConvReLU2d: nni.quantized.ConvReLU2d,
    nnq.FloatFunctional: nnq.QFunctional,
    nnqat.Linear: nnq.Linear,
    nnqat.Conv1d: nnq.Conv1d,
    nnqat.Conv2d: nnq.Conv2d,
    nni.qat.LinearReLU: nni.quantized.LinearReLU,
    nni.qat.ConvReLU1d: nni.quantized.ConvReLU1d,
    nni.qat.ConvReLU2d: nni.quantized.ConvReLU2d,
    nni.qat.ConvBn1d: nnq.Conv1d,
    nni.qat.ConvBn2d: nnq.Conv2d,
    nni.qat.ConvBnReLU1d: nni.quantized.ConvReLU1d,
    nni.qat.ConvBnReLU2d: nni.quantized.ConvReLU2d,
}
_QAT: dict[type, Any] = {
    nn.Linear: nnqat.Linear,
    nn.Conv1d: nnqat.Conv1d,
    nn.Conv2d: nnqat.Conv2d,
    nni.LinearReLU: nni.qat.LinearReLU,
    nni.ConvReLU1d: nni.qat.ConvReLU1d,
    nni.ConvReLU2d: nni.qat.ConvReLU2d,
    nni.ConvBn1d: nni.qat.ConvBn1d,
    nni.ConvBn2d: nni.qat.ConvBn2d,
    nni.ConvBnReLU1d: nni.qat.ConvBnReLU1d,
    nni.ConvBnReLU2d: nni.qat.ConvBnReLU2d,
}
_DYNAMIC: dict[type, Any] = {
    nn.Linear: nnqd.Linear,
    nn.Conv1d: nnqd.Conv1d,
    nn.Conv2d: nnqd.Conv2d,
}
_WEIGHTED = tuple(kind for kind in _STATIC if kind is not DeQuantStub)


def get_default_static_quant_module_mappings() -> dict[type, Any]:
    """Which class each float class becomes in `convert`."""
    return dict(_STATIC)


def get_default_qat_module_mappings() -> dict[type, Any]:
    """Which class each float class becomes in `prepare_qat`."""
    return dict(_QAT)


def get_default_dynamic_quant_module_mappings() -> dict[type, Any]:
    """Which class each float class becomes in `quantize_dynamic`."""
    return dict(_DYNAMIC)


def propagate_qconfig_(module: Any, qconfig_dict: Any = None) -> None:
    """Gives modules without a `qconfig` the one of the module around them.

    `qconfig_dict`: {name or class: qconfig}, names first; None keeps a module in float.
    """
    chosen = qconfig_dict or {}

    def visit(inner: Any, name: str, around: Any) -> None:
        own = getattr(inner, "qconfig", around)
        own = chosen.get(name, chosen.get(type(inner), own))
        inner.qconfig = own
        for key, child in inner.named_children():
            visit(child, f"{name}.{key}" if name else key, own)

    visit(module, "", chosen.get("", None))


def _observe(module: Any, observer: Any) -> None:
    module.add_module("activation_post_process", observer)
    module.register_forward_hook(_watch)


def _watch(module: Any, inputs: Any, output: Any) -> Any:
    return module.activation_post_process(output)


def _add_observers(model: Any) -> None:
    """Observers of the results of layers that will be layers of integers."""
    inside: set[int] = set()
    for module in list(model.modules()):
        if id(module) in inside or getattr(module, "qconfig", None) is None:
            continue
        if type(module) not in _WEIGHTED:
            continue
        inside.update(id(m) for m in module.modules() if m is not module)
        if isinstance(module, nnq.FloatFunctional):
            module.activation_post_process = module.qconfig.activation()
        elif not hasattr(module, "activation_post_process"):
            _observe(module, module.qconfig.activation())


def prepare(model: Any, inplace: bool = False, **refused: Any) -> Any:
    """A copy of `model` (or itself) with observers where a `qconfig` asks for them.

    Set `model.qconfig = get_default_qconfig()` first (modules of which it is None stay in float),
    put `QuantStub` and `DeQuantStub` around what is to compute with integers, and let batches that
    are like the real ones pass afterwards.
    """
    if refused:
        raise NotImplementedError(f"prepare: {sorted(refused)} are not in minigrad")
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    _add_observers(model)
    if not any(isinstance(m, (ObserverBase, FakeQuantizeBase)) for m in model.modules()):
        raise ValueError(
            "prepare: no layer has a qconfig; needed: model.qconfig = get_default_qconfig()"
        )
    return model


def _replace(module: Any, change: Callable[[Any], Any]) -> Any:
    """Puts change(child) in the place of every child, from outside inwards; None goes deeper."""
    for name, child in list(module.named_children()):
        new = change(child)
        if new is None:
            _replace(child, change)
        else:
            setattr(module, name, new)
    return module


def swap_module(mod: Any, mapping: dict, custom_module_class_mapping: Any = None, *_: Any) -> Any:
    """The layer that `mapping` has for a module with a `qconfig`, else the module."""
    made = mapping.get(type(mod))
    if made is None or getattr(mod, "qconfig", None) is None:
        return mod
    new = made.from_float(mod)
    for hook in mod._forward_pre_hooks.values():
        new.register_forward_pre_hook(hook)
    for hook in mod._forward_hooks.values():
        if hook is not _watch:
            new.register_forward_hook(hook)
    return new


def _swapped(model: Any, mapping: dict) -> Any:
    def change(child: Any) -> Any:
        new = swap_module(child, mapping)
        return None if new is child else new

    whole = change(model)
    return _replace(model, change) if whole is None else whole


def prepare_qat(model: Any, mapping: Any = None, inplace: bool = False) -> Any:
    """A copy of `model` (or itself) that trains with rounded weights and results.

    Set `model.qconfig = get_default_qat_qconfig()` first, fuse with `fuse_modules_qat`, train, and
    `convert(model.eval())`. The optimizer is made afterwards. AssertionError in eval mode.
    """
    if not model.training:
        raise AssertionError("prepare_qat only works on models in training mode")
    if not inplace:
        model = copy.deepcopy(model)
    propagate_qconfig_(model)
    model = _swapped(model, _QAT if mapping is None else mapping)
    _add_observers(model)
    if not any(isinstance(m, FakeQuantizeBase) for m in model.modules()):
        raise ValueError(
            "prepare_qat: no layer has a qconfig of fake quantization; needed: model.qconfig = "
            "get_default_qat_qconfig()"
        )
    return model


def _clean(model: Any) -> None:
    """Takes away what observed, and the choices of observers."""
    for module in model.modules():
        for number, hook in list(module._forward_hooks.items()):
            if hook is _watch:
                del module._forward_hooks[number]
        if isinstance(module._modules.get("activation_post_process"),
                      (ObserverBase, FakeQuantizeBase)):  # fmt: skip
            del module._modules["activation_post_process"]
        module.__dict__.pop("qconfig", None)


def convert(
    module: Any, mapping: Any = None, inplace: bool = False, remove_qconfig: bool = True,
    **refused: Any,
) -> Any:  # fmt: skip
    """A copy of a prepared, observed model (or itself) whose layers compute with integers.

    What has no layer of integers stays as it is, and works on quantized tensors if it moves,
    compares or pools; put a `DeQuantStub` before what does not.
    """
    if refused:
        raise NotImplementedError(f"convert: {sorted(refused)} are not in minigrad")
    if not inplace:
        module = copy.deepcopy(module)
    module = _swapped(module, _STATIC if mapping is None else mapping)
    if remove_qconfig:
        _clean(module)
    return module


def quantize(
    model: Any, run_fn: Callable, run_args: Any, mapping: Any = None, inplace: bool = False
) -> Any:
    """`prepare`, `run_fn(model, *run_args)` and `convert`, in eval mode."""
    model = prepare(model if inplace else copy.deepcopy(model).eval(), inplace=True)
    model.eval()
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


def quantize_qat(model: Any, run_fn: Callable, run_args: Any, inplace: bool = False) -> Any:
    """`prepare_qat`, `run_fn(model, *run_args)` in train mode, and `convert`."""
    model = prepare_qat((model if inplace else copy.deepcopy(model)).train(), inplace=True)
    run_fn(model, *run_args)
    return convert(model.eval(), inplace=True)


def quantize_dynamic(
    model: Any,
    qconfig_spec: Any = None,
    dtype: Any = dtypes.qint8,
    mapping: Any = None,
    inplace: bool = False,
) -> Any:
    """A copy of `model` (or itself) whose layers have int8 weights and quantize their input.

    `qconfig_spec`: a set of classes or names, or {class or name: qconfig}; by default Linear.
    Conv1d and Conv2d can be named, too. Recurrent layers cannot: NotImplementedError.
    """
    if dtype is not dtypes.qint8:
        raise NotImplementedError(f"quantize_dynamic: dtype {dtype!r} was given; needed: qint8")
    spec = {nn.Linear} if qconfig_spec is None else qconfig_spec
    if not isinstance(spec, dict):
        spec = dict.fromkeys(spec, default_dynamic_qconfig)
    mapping = _DYNAMIC if mapping is None else mapping
    for key, qconfig in spec.items():
        if isinstance(key, type) and key not in mapping:
            raise NotImplementedError(
                f"quantize_dynamic: {key.__name__} was given; known are "
                f"{sorted(kind.__name__ for kind in mapping)}"
            )
        if qconfig is not None and not isinstance(qconfig.activation(), PlaceholderObserver):
            raise ValueError(
                "quantize_dynamic: a qconfig such as default_dynamic_qconfig is needed"
            )
    if not inplace:
        model = copy.deepcopy(model)
    model.eval()
    propagate_qconfig_(model, spec)
    model = _swapped(model, mapping)
    _clean(model)
    return model
