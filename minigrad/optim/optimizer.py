"""`Optimizer`: parameter groups, state and its dictionary, hooks; what all optimizers share."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from .. import dtypes
from ..autograd import modes
from ..autograd import variable as _v
from ..autograd.row_grads import is_sparse
from ..autograd.variable import Leaf, Variable, next_seq, retains_grad
from ..backend import device_of, move, on_gpu
from ..dispatch import LogicalArray
from ..tensor import Tensor
from . import differentiable
from ._hooks import Hooked, with_hooks
from ._hooks import register_optimizer_step_post_hook as register_optimizer_step_post_hook
from ._hooks import register_optimizer_step_pre_hook as register_optimizer_step_pre_hook

# What an optimizer is made of: tensors, (name, tensor) pairs, or groups.
ParamsT: TypeAlias = Iterable[Any] | Iterable[dict[str, Any]] | Iterable[tuple[str, Any]]


class _Required:
    """Default of an option that every parameter group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def number(value: Any) -> float:
    """An option as a number: PyTorch allows tensors of one element, for `lr` for instance."""
    return value.item() if isinstance(value, Variable) else value


def check_lr(lr: Any, message: str = "Invalid learning rate: {}") -> None:
    """ValueError unless `lr` is a number (or a tensor of one element) that is not negative."""
    if isinstance(lr, Variable) and lr._array.size != 1:
        raise ValueError("Tensor lr must be 1-element")
    check_not_negative("learning rate", lr, message)


def check_not_negative(what: str, value: Any, message: str | None = None) -> None:
    """ValueError for negative numbers and NaN; TypeError for what is no number."""
    given = number(value)
    if not isinstance(given, (int, float, np.number)):
        raise TypeError(f"Invalid {what}: {value!r} ({type(value).__name__}); needed: a number")
    if not given >= 0.0:
        raise ValueError(message.format(value) if message else f"Invalid {what}: {value}")


def check_betas(betas: Any) -> None:
    """ValueError unless both are numbers in [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def check_moments(lr: Any, betas: Any, eps: Any, weight_decay: Any) -> None:
    """The options of Adam's relatives. ValueError for negative ones, and for betas from 1 on."""
    check_lr(lr)
    check_not_negative("epsilon value", eps)
    check_betas(betas)
    check_not_negative("weight_decay value", weight_decay)


def check_fused(fused: Any, foreach: Any, differentiable: Any) -> None:
    """RuntimeError for combinations that contradict each other; one kernel serves all others."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def zeros_like(p: Any, value: float = 0.0) -> Any:
    """A tensor like `p`, filled; outside the graph."""
    return _v.wrap(np.full_like(p._array, value))


def new_step(value: float = 0.0, beside: Any = None) -> Any:
    """A step counter or the like: float64 if that is the default dtype, else float32.

    It stands on the CPU, or on the device of the parameter `beside` (for `capturable`).
    """
    if beside is not None and on_gpu(beside._array):
        return _v.wrap(np.full((), value, np.float32, like=beside._array))
    wide = dtypes.get_default_dtype() is dtypes.float64
    return _v.wrap(np.array(value, np.float64 if wide else np.float32))


def _real(p: Any) -> Any:
    """The parameter itself, of a complex one the pairs of real numbers."""
    logical = isinstance(p, Variable) and p._array.__class__ is LogicalArray
    return p.parts if logical and p.is_complex() else p


class Optimizer(Hooked):
    """Base class. `params`: tensors, (name, tensor) pairs, or dicts that describe groups.

    `defaults`: the options of a group that does not give its own. Subclasses define `_step_group`
    (or `step`). ValueError for no parameters, a non-leaf, a parameter in two groups.
    """

    # What is a number for each parameter; old state dicts have Python's numbers there.
    _scalar_states: tuple[str, ...] = ("step",)
    _opt_called = False
    _watched_step: Any = None  # a `step` of the instance's own, as the last scheduler found it

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        if isinstance(params, Variable):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.__class__.__name__}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hooks()
        self.defaults.setdefault("differentiable", False)
        for group in self.param_groups:
            for name, value in self._missing_options().items():
                group.setdefault(name, value)
            for p in group["params"]:
                own = self.state.get(p)
                for name in self._scalar_states:
                    if own and name in own and not isinstance(own[name], Variable):
                        own[name] = new_step(float(own[name]))

    def _missing_options(self) -> dict[str, Any]:
        """What options mean in state dicts that were saved before the option existed."""
        return {}

    def __repr__(self) -> str:
        parts = []
        for i, group in enumerate(self.param_groups):
            options = [f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params"]
            parts.append(f"Parameter Group {i}\n" + "".join(options))
        return f"{self.__class__.__name__} (\n" + "\n".join(parts) + ")"

    profile_hook_step = staticmethod(with_hooks)

    # -- stepping --------------------------------------------------------------------------------

    def step(self, closure: Callable | None = None) -> Any:
        """Updates all parameters that have a gradient. Returns the loss that `closure` computed."""
        loss = None
        if closure is not None:
            before = modes.set_recording(True)
            try:
                loss = closure()
            finally:
                modes.set_recording(before)
        for group in self.param_groups:
            if group.get("differentiable"):
                differentiable.step_group(self, group)
            else:
                self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        raise NotImplementedError(f"{self.__class__.__name__} defines neither step nor _step_group")

    def _gather(self, group: dict[str, Any]) -> tuple[list, list, list]:
        """The group's parameters that have a gradient, their arrays and the gradients' arrays.

        The parameters are about to be written, which the graphs that saved them must notice.
        """
        tensors, params, grads = [], [], []
        seq = next_seq()
        for p in group["params"]:
            grad = p._grad
            if grad is None:
                continue
            cell = p._cell
            if cell is not None:
                cell[0] = seq
                cell[1] += 1
            if grad.__class__ is not Tensor and grad.is_sparse:
                grad = self._dense_grad(p, grad, group)
                if grad is None:
                    continue
            tensors.append(p)
            params.append(p._array)
            grads.append(grad._array)
        return tensors, params, grads

    def _dense_grad(self, p: Any, grad: Any, group: dict[str, Any]) -> Any:
        """A sparse gradient as a dense one, where that makes no difference; None: step is made."""
        raise RuntimeError(f"{self.__class__.__name__} does not support sparse gradients")

    def _arrays(self, tensors: list, group: dict[str, Any], *names: str) -> list[list]:
        """A list for each named state: its arrays for all tensors; `_start` makes missing ones."""
        states = []
        for p in tensors:
            state = self.state[p]
            if not state:
                self._start(state, p, group)
            states.append(state)
        return [[state[name]._array for state in states] for name in names]

    def _start(self, state: dict[str, Any], p: Any, group: dict[str, Any]) -> None:
        """Fills the state of a parameter that has none yet."""
        raise NotImplementedError(f"{self.__class__.__name__} does not define _start")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        if set_to_none:
            for group in self.param_groups:
                for p in group["params"]:
                    p._grad = None
            return
        for group in self.param_groups:
            for p in group["params"]:
                grad = p._grad
                if grad is None:
                    continue
                if grad._fn is not None and grad._fn.__class__ is not Leaf:
                    # Still in a graph, which keeps the old values.
                    p._grad = zeros_like(grad)
                elif is_sparse(grad):
                    grad.detach_().zero_()
                else:
                    grad._fn = None
                    grad._array.fill(0)

    # -- groups ----------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group: a dict with "params" and the options that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Variable):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        tensors, names = [], []
        for p in list(params):
            if isinstance(p, tuple):
                names.append(p[0])
                p = p[1]
            tensors.append(_real(p))
        param_group["params"] = tensors
        if names:
            if len(names) != len(tensors):
                raise ValueError(
                    "all optimizer params should be with/without names. "
                    "Some param names are missing"
                )
            param_group["param_names"] = names
        for p in tensors:
            self._check_param(p)
            if not (p.is_leaf or retains_grad(p) or self.defaults.get("differentiable")):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        self._check_group(param_group, tensors)
        self.param_groups.append(param_group)

    @staticmethod
    def _check_param(p: Any) -> None:
        if not isinstance(p, Variable):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params is "
                f"{p.__class__.__name__}"
            )

    def _check_group(self, group: dict[str, Any], tensors: list) -> None:
        if len(tensors) != len(set(tensors)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=4,
            )
        others: set = set()
        for other in self.param_groups:
            others.update(other["params"])
            if ("param_names" in group) != ("param_names" in other):
                which = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {which} to the optimizer"
                )
        if not others.isdisjoint(tensors):
            raise ValueError("some parameters appear in more than one parameter group")

    # -- saving ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: ...}, "param_groups": [...]}; parameters appear as their numbers."""
        for hook in self._hooks("_optimizer_state_dict_pre_hooks"):
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            params = group["params"]
            for i, p in enumerate(params, start):
                numbers.setdefault(id(p), i)
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(p)] for p in params]
            start += len(params)
            groups.append(packed)
        state = {
            (numbers[id(key)] if isinstance(key, Variable) else key): value
            for key, value in self.state.items()
        }
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._hooks("_optimizer_state_dict_post_hooks"):
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; ValueError if the groups do not match.

        State tensors are converted to the dtype of their parameter.
        """
        state_dict = state_dict.copy()
        for hook in self._hooks("_optimizer_load_state_dict_pre_hooks"):
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups = self.param_groups
        saved = copy.deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        params = dict(
            zip(
                chain.from_iterable(s["params"] for s in saved),
                chain.from_iterable(g["params"] for g in groups),
                strict=True,
            )
        )
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _fit(params[key], value)
            else:
                state[key] = value
        for group, new in zip(groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._hooks("_optimizer_load_state_dict_post_hooks"):
            hook(self)


Optimizer.step = with_hooks(Optimizer.step)  # type: ignore[method-assign]


def _fit(param: Any, value: Any, key: Any = None) -> Any:
    """Loaded state with its tensors in the parameter's dtype, on its device (no step counters)."""
    if isinstance(value, Variable):
        if key == "step":
            return value
        dtype, array = param._array.dtype, move(value._array, device_of(param._array))
        if _v.is_float(param._array) and array.dtype != dtype:
            array = array.astype(dtype)
        return value if array is value._array else _v.wrap(array)
    if isinstance(value, dict):
        return {k: _fit(param, v, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_fit(param, v) for v in value)  # type: ignore[call-arg]
    return value
