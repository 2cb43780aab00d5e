"""`Variable`: an array with a place in the graph, and `Node`: a recorded operation.

A variable's `_fn` is the node that its gradient goes to: the operation that made it, a `Leaf` for a
tensor on which `requires_grad` was set, or None when no gradient is wanted. The graph points from
results to inputs only (a leaf knows its variable weakly), so there are no reference cycles and
memory is freed without the garbage collector.

Writes in place are found out through a *cell*, a list `[written, count, views]` shared by all
variables over the same memory and made only when somebody needs it: `written` is the sequence
number of the last write, `count` the number of writes, `views` weak references to the views. A node
compares `written` with its own number, so that nothing has to be copied when a value is saved.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..kernels import fast
from . import modes
from .handles import RemovableHandle

# The record of writes that all tensors made in inference mode share; nothing is noted in it.
INFERENCE: list = fast.inference_cell

# Sequence numbers count downwards, so that a heap yields the newest node first.
next_seq: Callable[[], int] = fast.next_seq

Array = Any


class Node:
    """A recorded operation: base class of all of `minigrad.ops` and of user functions.

    `forward(self, *arrays, *args)` computes with arrays and may keep attributes for backward.
    `backward(self, grad)` is written with op functions and returns one gradient for each input (a
    tuple, or the gradient itself if there is one input). It is called with arrays, or with tensors
    when the gradient is to be differentiated again: both work, because op functions take both.
    """

    # `shapes`: of both operands where an elementwise operation has broadcast them, else None.
    __slots__ = ("__weakref__", "cells", "hooks", "next", "saved", "seq", "shapes")

    # What a subclass declares:
    saves: tuple[int, ...] = ()  # inputs that backward reads, in `self.saved` in this order ...
    saves_output: tuple[int, ...] = ()  # ... followed by these outputs
    cross = False  # two saved inputs, each needed only for the other one's gradient
    fresh = False  # every gradient that backward returns is a new array, returned once
    views_input = False  # the result shares the input's memory
    fixed_memory = False  # such a view cannot be made of the input's gradient
    index: int | None = None  # set on `Pick` only
    packs_itself = False  # hooks on what is saved are called by the node's own code
    torch_name = ""  # PyTorch's name, where it is not the class's with "Backward0"
    plain = True  # False on `Leaf` and `Pick`, which the backward loop handles itself
    outputs = 1

    next: tuple[Node | None, ...]
    saved: Any
    cells: Any
    hooks: dict[int, tuple[str, Callable]] | None
    seq: int
    shapes: Any

    def __init_subclass__(cls, **options: Any) -> None:
        """Gives the class PyTorch's name, for programs that print the types of a graph's nodes."""
        super().__init_subclass__(**options)
        if cls.torch_name:
            cls.__name__ = cls.torch_name
        elif not cls.__name__.endswith("Backward0"):
            cls.__name__ += "Backward0"

    if TYPE_CHECKING:  # a node keeps whatever its backward needs

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        """What is saved, under PyTorch's names (`_saved_self`); see `naming.saved_value`."""
        if name.startswith(("_saved_", "_raw_saved_")):
            return _saved_value(self, name)
        raise AttributeError(f"'{self.__class__.__name__}' object has no attribute '{name}'")

    def forward(self, *args: Any) -> Any:
        raise NotImplementedError(self.name())

    def backward(self, grad: Any) -> Any:
        raise NotImplementedError(self.name())

    def name(self) -> str:
        """PyTorch's name of the node, such as "MulBackward0"."""
        return self.__class__.__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """(node, output number) for each input, as in PyTorch."""
        return tuple(
            (fn, 0) if fn is None or fn.index is None else (fn.next[0], fn.index)
            for fn in self.next
        )

    @property
    def metadata(self) -> dict:
        """A dictionary for the user's own notes on the node."""
        return _metadata.setdefault(self, {})

    def register_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)` after this node's backward."""
        return _add_hook(self, ("node", hook))

    def register_prehook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(grad_outputs)` before this node's backward."""
        return _add_hook(self, ("node_pre", hook))

    def __repr__(self) -> str:
        return f"<{self.name().rpartition('::')[2]} object at {id(self):#x}>"

    def _sequence_nr(self) -> int:
        """The number of the node: later ones have higher numbers."""
        return -self.seq


def show_saved_with(value: Callable[[Node, str], Any]) -> None:
    """Sets what finds saved values by PyTorch's names: it stands above this module."""
    global _saved_value
    _saved_value = value


_saved_value: Callable[[Node, str], Any]

# What users note on nodes.
_metadata: weakref.WeakKeyDictionary[Node, dict] = weakref.WeakKeyDictionary()


class Released:
    """Stands in `Node.saved` after the graph was freed."""


RELEASED = Released()


class Leaf(Node):
    """Where the gradient of a leaf variable is accumulated."""

    __slots__ = ("post_hooks", "variable_ref")
    plain = False
    torch_name = "AccumulateGrad"

    def __init__(self, variable: Variable):
        self.variable_ref = weakref.ref(variable)
        self.seq = next_seq()
        self.next = ()
        self.saved = self.cells = self.hooks = None
        self.post_hooks: dict[int, Callable] | None = None

    @property
    def variable(self) -> Variable | None:
        return self.variable_ref()

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"


class Pick(Node):
    """One output of a node that has several: collects its gradient for the node."""

    __slots__ = ("index",)
    plain = False

    def __init__(self, node: Node, index: int):
        self.index = index
        self.next = (node,)
        self.seq = next_seq()
        self.saved = self.cells = self.hooks = None

    def name(self) -> str:
        node = self.next[0]
        assert node is not None
        return node.name()


class GradientEdge(NamedTuple):
    """Where a gradient flows: a node and the number of its output."""

    node: Any
    output_nr: int
    ownership_token: Any = None  # the output's own node, where `node` has several

    @property
    def place(self) -> Node:
        """The node that stands for the edge in the graph."""
        token = self.ownership_token
        return token if isinstance(token, Node) else self.node


class Variable:
    """The part of a tensor that automatic differentiation sees.

    Slots: `_array` the data; `_fn` where the gradient goes; `_grad` the accumulated gradient;
    `_cell` the shared record of writes; `_view` is (parent, node class, arguments) for a view, with
    a fourth entry where writes to it cannot be recorded: how it was made ("no_grad", "inference",
    "several" views from one operation, or in a user's "function").
    """

    __slots__ = ("__weakref__", "_array", "_cell", "_fn", "_grad", "_view")

    _array: Array
    _fn: Node | None
    _grad: Variable | None
    _cell: list | None
    _view: tuple | None

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Any:
        """PyTorch's old `Variable(t)`: the tensor's memory, outside the graph. Tensors are those.

        TypeError if `data` is no tensor.
        """
        if not isinstance(data, Variable):
            raise TypeError(f"Variable data has to be a tensor, but got {data.__class__.__name__}")
        made = wrap(data._array)
        made._cell = cell_of(data)
        if requires_grad:
            set_requires_grad(made, True)
        return made

    # On classes of tensors that hold a pair of numbers in `parts` for each of theirs: what makes
    # such a tensor of its parts.
    of_parts: Callable[[Any], Any] | None = None
    parts: Any

    if TYPE_CHECKING:  # the methods of `Tensor`, the class of all instances

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is wanted for this tensor."""
        return self._fn is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value.__class__ is not bool:
            raise RuntimeError("requires_grad must be a bool")
        if value and not self.is_leaf:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        set_requires_grad(self, value)

    @property
    def is_leaf(self) -> bool:
        """True unless the tensor is the result of a recorded operation."""
        return self._fn is None or self._fn.__class__ is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The operation that made this tensor; None for leaves."""
        fn = self._fn
        if fn is None or fn.__class__ is Leaf:
            return None
        return fn.next[0] if fn.index is not None else fn

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        fn = self._fn
        return 0 if fn is None or fn.index is None else fn.index

    @property
    def _version(self) -> int:
        if self._cell is INFERENCE:
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if self._cell is None else self._cell[1]

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return self._cell is INFERENCE

    @property
    def _base(self) -> Variable | None:
        root = self
        while root._view is not None:
            root = root._view[0]
        return None if root is self else root

    def _is_view(self) -> bool:
        return self._view is not None


# The class of the results: `minigrad.tensor` puts its own subclass here.
Tensor: type[Variable] = Variable


def set_tensor_class(cls: type[Variable]) -> None:
    """Makes `cls` the class of all results of operations."""
    global Tensor
    Tensor = cls
    fast.bind_classes(Variable, Node, Leaf, Pick, RELEASED, cls)


# wrap(array, node=None): a tensor over `array` (not copied).
wrap: Callable[..., Any] = fast.wrap


def is_float(array: Array) -> bool:
    """Whether an array's elements are floating point (bfloat16's NumPy kind is "V")."""
    return array.dtype.kind in "fV"


# Leaves with hooks, of tensors whose `requires_grad` was switched off, for when it comes on again.
# By the tensor's id.
_set_aside: dict[int, Node] = {}


def need_bool(value: Any) -> None:
    """TypeError unless a value given for `requires_grad` is a bool."""
    if value.__class__ is not bool:
        raise TypeError(f"argument 'requires_grad' must be bool, not {value.__class__.__name__}")


def set_requires_grad(variable: Variable, value: bool) -> None:
    """Sets `requires_grad` of a leaf. RuntimeError for results and for integer tensors.

    TypeError for a value that is no bool: "False" would count as true.
    """
    if value is not True and value is not False:
        need_bool(value)
    if value:
        if variable._fn is None:
            if not is_float(variable._array):
                raise RuntimeError(
                    "only Tensors of floating point and complex dtype can require gradients"
                )
            if variable._cell is INFERENCE and not modes.state.inference:
                raise RuntimeError(
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                    "allowed."
                )
            variable._fn = _set_aside.pop(id(variable), None) or Leaf(variable)
    elif variable._fn is not None:
        if variable._fn.__class__ is not Leaf:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        leaf = variable._fn
        if leaf.hooks or leaf.post_hooks:
            key = id(variable)
            leaf.variable_ref = weakref.ref(variable, lambda _: _set_aside.pop(key, None))
            _set_aside[key] = leaf
        variable._fn = None


def cell_of(variable: Variable) -> list:
    """The record of writes to a variable's memory, made on first use."""
    cell = variable._cell
    if cell is None:
        cell = variable._cell = [0, 0, None]
    return cell


def saved_cell(variable: Variable) -> list:
    """`cell_of` a variable that is saved for backward. RuntimeError for inference tensors."""
    cell = cell_of(variable)
    if cell is INFERENCE:
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
            "inference mode in computation tracked by autograd. To work around this, you can make "
            "a clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` "
            "instead of `torch.inference_mode()`."
        )
    return cell


def _add_hook(node: Node, hook: tuple[str, Callable]) -> RemovableHandle:
    if node.hooks is None:
        node.hooks = {}
    handle = RemovableHandle(node.hooks)
    node.hooks[handle.id] = hook
    return handle


def move(variable: Variable, fn: Node | None) -> None:
    """Gives a variable another place in the graph; `retain_grad` goes with it."""
    old = variable._fn
    variable._fn = fn
    if old is None or not old.hooks:
        return
    for key, hook in list(old.hooks.items()):
        if hook[0] == "retain" and hook[1]() is variable:
            del old.hooks[key]
            if fn is not None:
                _add_hook(fn, hook)


def register_hook(variable: Variable, hook: Callable) -> RemovableHandle:
    """Calls `hook(grad)` when the variable's gradient is complete; a result replaces it."""
    if variable._fn is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return _add_hook(variable._fn, ("tensor", hook))


def register_post_accumulate_grad_hook(variable: Variable, hook: Callable) -> RemovableHandle:
    """Calls `hook(variable)` after `.grad` of a leaf was written."""
    fn = variable._fn
    if fn is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if fn.__class__ is not Leaf:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    assert isinstance(fn, Leaf)
    if fn.post_hooks is None:
        fn.post_hooks = {}
    handle = RemovableHandle(fn.post_hooks)
    fn.post_hooks[handle.id] = hook
    return handle


def retain_grad(variable: Variable) -> None:
    """Makes backward keep the gradient of a result in its `.grad`."""
    fn = variable._fn
    if fn is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if fn.__class__ is Leaf:
        return
    if fn.hooks is not None and any(
        kind == "retain" and ref() is variable for kind, ref in fn.hooks.values()
    ):
        return
    _add_hook(fn, ("retain", weakref.ref(variable)))


def retains_grad(variable: Variable) -> bool:
    """Whether `retain_grad` was called on this result."""
    fn = variable._fn
    return (
        fn is not None
        and fn.hooks is not None
        and any(kind == "retain" and ref() is variable for kind, ref in fn.hooks.values())
    )
