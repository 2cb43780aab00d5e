"""PyTorch's names: of nodes whose operation is composed of others, and of what nodes have saved."""

from __future__ import annotations

import functools
from typing import Any

from . import variable as _v
from .saving import Packed, place
from .variable import RELEASED, Node, Variable, show_saved_with


@functools.cache
def _renamed(cls: type[Node], name: str) -> type[Node]:
    """A class of nodes like `cls` with another name."""
    own = {"__slots__": (), "__module__": cls.__module__, "__doc__": cls.__doc__,
           "torch_name": name, "name": Node.name}  # fmt: skip
    return type(cls.__name__, (cls,), own)


def named(name: str, result: Any, input: Any = None) -> Any:
    """`result`, whose node bears the name that PyTorch gives the operation it is the last part of.

    Nothing happens to bare arrays, to results without a node of their own, and to the input's node
    (`input`), which an operation with nothing to do returns.
    """
    if isinstance(result, Variable):
        fn: Any = result._fn
        if fn is not None and fn.plain and not (input is not None and fn is input._fn):
            fn.__class__ = _renamed(fn.__class__, name)
    return result


# Names of saved inputs, where they are not `self` and `other`, by the beginning of the node's name.
_INPUTS = {
    "Addmm": ("mat1", "mat2"),
    "Addmv": ("mat", "vec"),
    "Baddbmm": ("batch1", "batch2"),
    "BinaryCrossEntropy": ("self", "target"),
    "Bmm": ("self", "mat2"),
    "Convolution": ("input", "weight"),
    "Dot": ("self", "tensor"),
    "Gather": ("self", "index"),
    "HuberLoss": ("self", "target"),
    "Lerp": ("self", "end"),
    "Mm": ("self", "mat2"),
    "MseLoss": ("self", "target"),
    "Mv": ("self", "vec"),
    "NativeBatchNorm": ("input", "weight"),
    "NativeGroupNorm": ("input", "weight"),
    "NativeLayerNorm": ("input", "weight"),
    "Pow": ("self", "exponent"),
    "Prelu": ("self", "weight"),
    "SmoothL1Loss": ("self", "target"),
    "SoftMarginLoss": ("self", "target"),
}


def saved_value(node: Node, attribute: str) -> Any:
    """What PyTorch has as `node._saved_self`, `._saved_other`, `._saved_result` and the like.

    A tensor that stands in the graph where it stood; None for an operand that is not kept because
    no gradient needs it. AttributeError for what the node has not saved; RuntimeError once the
    graph is freed.
    """
    wanted = attribute.removeprefix("_raw").removeprefix("_saved_")
    declares: Any = type(node)
    kept = node.saved
    if hasattr(kept, "attributes"):  # packed by hooks, in a class that declares nothing
        bases = declares.__mro__[: declares.__mro__.index(Node)]
        declares = next((base for base in bases if base.saves or base.saves_output), declares)
        kept = kept.saved
    own = _INPUTS.get(node.name().partition("Backward")[0], ("self", "other"))
    names = [own[i] if i < len(own) else f"input{i}" for i in declares.saves]
    names += ["result" if i == 0 else f"result{i}" for i in declares.saves_output]
    if wanted not in names:
        raise AttributeError(f"'{node.name()}' object has no attribute '{attribute}'")
    if kept is RELEASED:
        raise RuntimeError(
            "Trying to backward through the graph a second time (or directly access saved tensors "
            "after they have already been freed). Saved intermediate values of the graph are freed "
            "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
            "to backward through the graph a second time or if you need to access saved tensors "
            "after calling backward."
        )
    position = names.index(wanted)
    value = kept[position]
    if isinstance(value, Packed):
        return value.tensor()
    if not hasattr(value, "dtype"):
        return value
    return _v.wrap(value, place(node, position) if _v.is_float(value) else None)


show_saved_with(saved_value)
