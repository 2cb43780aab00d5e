"""Putting layers that follow each other into one: by name, in a copy or in place."""

from __future__ import annotations

import copy
from typing import Any

from ... import nn
from ...nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from ..nn import intrinsic as nni

__all__ = ["fuse_conv_bn", "fuse_linear_bn", "fuse_modules", "fuse_modules_qat"]

_RELU: dict[type, Any] = {
    nn.Linear: nni.LinearReLU,
    nn.Conv1d: nni.ConvReLU1d,
    nn.Conv2d: nni.ConvReLU2d,
}
_TRAINED: dict[type, Any] = {
    nn.Conv1d: (nni.ConvBn1d, nni.ConvBnReLU1d),
    nn.Conv2d: (nni.ConvBn2d, nni.ConvBnReLU2d),
}
_NORMS = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Linear: nn.BatchNorm1d}


def fuse_conv_bn(is_qat: bool, conv: Any, bn: Any) -> Any:
    """The convolution with the norm folded in, or for training the container of both."""
    _need_mode(is_qat, conv, bn)
    return _TRAINED[type(conv)][0](conv, bn) if is_qat else fuse_conv_bn_eval(conv, bn)


def fuse_linear_bn(is_qat: bool, linear: Any, bn: Any) -> Any:
    """The linear layer with the norm folded in. NotImplementedError for training."""
    _need_mode(is_qat, linear, bn)
    if is_qat:
        raise NotImplementedError("fuse_modules_qat: Linear and BatchNorm1d are not fused to train")
    return fuse_linear_bn_eval(linear, bn)


def _need_mode(is_qat: bool, *modules: Any) -> None:
    if any(m.training != is_qat for m in modules):
        wanted, call = ("train", "fuse_modules_qat") if is_qat else ("eval", "fuse_modules")
        raise AssertionError(f"{call}: the modules must be in {wanted} mode: call model.{wanted}()")


def _fused(modules: list[Any], is_qat: bool) -> Any:
    kinds = [type(m) for m in modules]
    first, rest = kinds[0], kinds[1:]
    names = ", ".join(kind.__name__ for kind in kinds)
    known = NotImplementedError(
        f"fuse_modules: {names} were given; known are Linear, Conv1d or Conv2d, then a batch norm, "
        "ReLU or both"
    )
    if first not in _RELU or not rest:
        raise known
    layer = modules[0]
    if rest[0] is _NORMS[first]:
        relu = rest[1:] == [nn.ReLU]
        if rest[1:] not in ([], [nn.ReLU]):
            raise known
        if is_qat and first is not nn.Linear:
            _need_mode(True, *modules[:2])
            return _TRAINED[first][relu](*modules)
        fuse = fuse_linear_bn if first is nn.Linear else fuse_conv_bn
        layer = fuse(is_qat, *modules[:2])
        return _RELU[first](layer, modules[2]) if relu else layer
    if rest != [nn.ReLU]:
        raise known
    return _RELU[first](layer, modules[1])


def _fuse(model: Any, modules_to_fuse: Any, inplace: bool, is_qat: bool) -> Any:
    if not inplace:
        model = copy.deepcopy(model)
    groups = modules_to_fuse
    if groups and isinstance(groups[0], str):
        groups = [groups]
    for names in groups:
        modules = [model.get_submodule(name) for name in names]
        new = _fused(modules, is_qat)
        for name, module in zip(names, modules):  # hooks would be lost silently
            if module._forward_hooks or module._forward_pre_hooks:
                raise RuntimeError(f"fuse_modules: {name} has hooks; remove them, fuse, add them")
        new.training = modules[0].training
        model.set_submodule(names[0], new)
        for name in names[1:]:
            model.set_submodule(name, nn.Identity())
    return model


def fuse_modules(model: Any, modules_to_fuse: Any, inplace: bool = False) -> Any:
    """Fuses layers of a model in eval mode: `fuse_modules(model, [["conv", "bn", "relu"]])`.

    The first of a list becomes the fused layer, the others Identity. Known are Linear, Conv1d and
    Conv2d, then a batch norm, ReLU or both. NotImplementedError for other rows.
    """
    return _fuse(model, modules_to_fuse, inplace, False)


def fuse_modules_qat(model: Any, modules_to_fuse: Any, inplace: bool = False) -> Any:
    """The same in train mode, for `prepare_qat`: norms stay and are trained."""
    return _fuse(model, modules_to_fuse, inplace, True)
