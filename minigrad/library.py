"""`library`: operations that programs register under a name, found again as `ops.namespace.name`.

Nothing is compiled, so a registered operation is its function with a gradient of its own; what
PyTorch's compiler would ask of it (fake kernels, schemas, tags) is kept and not used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import ops
from .autograd.function import Function
from .autograd.variable import Variable

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "impl", "register_autograd", "register_fake",
    "register_kernel", "register_vmap",
]  # fmt: skip

_CPU = ("", "CPU", "CompositeExplicitAutograd", "CompositeImplicitAutograd", "cpu", "default")
_ELSEWHERE = ("CUDA", "Meta", "MPS", "XPU", "cuda", "meta", "mps", "xpu")


class CustomOpDef:
    """A registered operation. Calls run its kernel without recording, and one node is recorded."""

    def __init__(self, namespace: str, name: str, kernel: Callable | None = None):
        self._name, self._qualname = name, f"{namespace}::{name}"
        self._title = f"{namespace}.{name}.default"
        self._kernel = kernel
        self._signature = kernel and inspect.signature(kernel)
        self._node_class: type[Function] | None = None  # of calls without keyword-only arguments
        self._recorded = False  # whether the kernel's own operations are recorded
        self._backward: Callable | None = None
        self._setup: Callable | None = None
        self._fake: Callable | None = None
        self.__name__ = name

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    @property
    def default(self) -> CustomOpDef:
        """The operation itself, as one of PyTorch's overloads."""
        return self

    def register_fake(self, fn: Callable, /) -> Callable:
        """A function for shapes and dtypes of results, which a compiler would ask."""
        self._fake = fn
        return fn

    def register_autograd(
        self, backward: Callable, /, *, setup_context: Callable | None = None
    ) -> None:
        """The gradient: `backward(ctx, *grads)`, after `setup_context(ctx, inputs, output)`."""
        self._backward, self._setup = backward, setup_context

    def register_kernel(self, device_types: Any, fn: Callable | None = None, /) -> Any:
        """The function for devices ("cpu"; others are not used); without one, a decorator."""
        if fn is None:
            return lambda f: self.register_kernel(device_types, f)
        for kind in [device_types] if isinstance(device_types, (str, type(None))) else device_types:
            self._implement(fn, kind or "")
        return fn

    def register_vmap(self, func: Callable | None = None, /) -> Any:
        """Kept for nobody: `vmap` runs the operation for each sample."""
        return (lambda f: f) if func is None else func

    def _implement(self, fn: Callable, key: str) -> None:
        if key in _CPU:
            self._kernel, self._recorded = fn, key == "CompositeImplicitAutograd"
            self._signature = inspect.signature(fn)
        elif key not in _ELSEWHERE:
            raise NotImplementedError(
                f"{self._qualname}: a kernel for {key!r} was given; needed: one of {_CPU[:4]}"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The kernel's result. RuntimeError without a kernel."""
        kernel = self._kernel
        if kernel is None or self._signature is None:
            raise NotImplementedError(f"{self._qualname}: there is no kernel for the CPU")
        if self._recorded and self._backward is None:
            return kernel(*args, **kwargs)
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            return self._node(bound.kwargs).apply(*bound.args)
        if self._node_class is None:
            self._node_class = self._node({})
        return self._node_class.apply(*bound.args)

    def _node(self, keywords: dict) -> type[Function]:
        op = self

        class Registered(Function):
            @staticmethod
            def forward(*args: Any) -> Any:
                plain = [_detached(a) for a in args]  # the kernel may ask for their arrays
                result = op._kernel(*plain, **keywords)  # type: ignore[misc]
                _check_aliases(op._qualname, plain, result)
                return result

            @staticmethod
            def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
                if op._setup is None:
                    return
                given = {"keyword_only_inputs": keywords} if keywords else {}
                op._setup(ctx=ctx, inputs=inputs, output=output, **given)

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                if op._backward is None:
                    raise RuntimeError(
                        f"Trying to backward through {op._title} but no autograd formula was "
                        "registered. Please use register_autograd to add one."
                    )
                return op._backward(ctx, *grads)

        name = f"GeneratedBackwardFor_{self._title.replace('.', '_')}"
        Registered.__name__ = Registered.__qualname__ = name
        return Registered


def _detached(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_detached, value))
    return value.detach() if isinstance(value, Variable) else value


def _check_aliases(name: str, args: list, result: Any) -> None:
    given = {id(a) for a in args if isinstance(a, Variable)}
    for out in result if isinstance(result, (list, tuple)) else (result,):
        if id(out) in given:
            raise RuntimeError(
                f"{name} (with implementation in Python): The output of this custom operator must "
                "not also be an input to this custom operator"
            )


class _Namespace:
    """What `ops.name` is, for the namespace of registered operations."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'_OpNamespace' '{self._name}' object has no attribute '{name}'")


def _split(qualname: str) -> tuple[str, str]:
    namespace, found, name = qualname.partition("::")
    if not found or not namespace or not name:
        raise ValueError(
            f"Expected an operator of the form `namespace::name`, got {qualname!r}: needed: a "
            "namespace and a name"
        )
    return namespace, name.partition(".")[0]


def _register(namespace: str, op: CustomOpDef) -> CustomOpDef:
    found = ops.__dict__.setdefault(namespace, _Namespace(namespace))
    if not isinstance(found, _Namespace):
        raise ValueError(f"library: the namespace {namespace!r} is one of minigrad's own")
    setattr(found, op._name, op)
    return op


def _find(op: Any) -> CustomOpDef:
    if isinstance(op, CustomOpDef):
        return op
    namespace, name = _split(op)
    found = getattr(ops.__dict__.get(namespace), "__dict__", {}).get(name)
    if not isinstance(found, CustomOpDef):
        raise RuntimeError(f"There was no operator {op} registered")
    return found


def custom_op(
    name: str,
    fn: Callable | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: str | Sequence[str] | None = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Makes a function the operation "namespace::name"; without one, a decorator.

    Its own operations are not recorded: `register_autograd` gives it a gradient. ValueError for
    names of another form.
    """
    namespace, short = _split(name)

    def make(f: Callable) -> CustomOpDef:
        return _register(namespace, CustomOpDef(namespace, short, f))

    return make if fn is None else make(fn)


def register_autograd(
    op: Any, backward: Callable, /, *, setup_context: Callable | None = None, lib: Any = None
) -> None:
    """The gradient of an operation. RuntimeError for names that nothing was registered under."""
    _find(op).register_autograd(backward, setup_context=setup_context)


def register_fake(op: Any, func: Callable | None = None, /, **options: Any) -> Any:
    """A function for shapes and dtypes; without one, a decorator."""
    return _find(op).register_fake if func is None else _find(op).register_fake(func)


def register_kernel(
    op: Any, device_types: Any, func: Callable | None = None, /, *, lib: Any = None
) -> Any:
    """A function for devices; without one, a decorator."""
    return _find(op).register_kernel(device_types, func)


def register_vmap(op: Any, func: Callable | None = None, /, *, lib: Any = None) -> Any:
    """A rule for `vmap`, which runs the operation for each sample anyway."""
    return _find(op).register_vmap(func)


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = ()) -> None:
    """An operation without a kernel, to which `impl` gives one."""
    namespace, name = _split(qualname)
    _register(namespace, CustomOpDef(namespace, name))


def impl(qualname: str, types: Any, func: Callable | None = None, *, lib: Any = None) -> Any:
    """The kernel of an operation that was defined; without one, a decorator."""
    return _find(qualname).register_kernel(types, func)


class Library:
    """The operations of one namespace: `define` makes them, `impl` gives them kernels."""

    def __init__(self, ns: str, kind: str, dispatch_key: str = ""):
        if kind not in ("DEF", "FRAGMENT", "IMPL"):
            raise ValueError(f"Unsupported kind: {kind}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """An operation from a schema, "name(Tensor x) -> Tensor"; its name."""
        name = _split(f"{self.ns}::{schema.partition('(')[0].strip()}")[1]  # without an overload
        _register(self.ns, CustomOpDef(self.ns, name))
        return name

    def impl(self, op_name: Any, fn: Callable, dispatch_key: str = "", **options: Any) -> None:
        """The kernel of an operation."""
        name = op_name if "::" in str(op_name) else f"{self.ns}::{op_name}"
        _find(name)._implement(fn, dispatch_key or self.dispatch_key)
