"""Modules run with other parameters and buffers than their own."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

__all__ = ["functional_call"]


def functional_call(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated: `minigrad.func.functional_call` of one dictionary."""
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with replaced_state(module, parameters_and_buffers, tie_weights, strict):
        return module(*args, **(kwargs or {}))


@contextlib.contextmanager
def replaced_state(
    module: Any, given: dict[str, Any], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """Inside, the module's tensors of these names are others."""
    own: dict[str, tuple[dict, str]] = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for store in (part._parameters, part._buffers):
            for name in store:
                own[f"{prefix}.{name}" if prefix else name] = (store, name)
    unknown = [name for name in given if name not in own]
    present = [n for n, (store, name) in own.items() if store[name] is not None]
    new = {n: v for n, v in given.items() if n in own}
    if tie_weights:
        new = _with_tied(own, new)
    missing = [n for n in present if n not in new]
    if strict and (unknown or missing):
        raise RuntimeError(
            f"Error(s) in strict loading for {type(module).__name__}: unexpected key(s) {unknown}, "
            f"missing key(s) {missing}"
        )
    before = {n: own[n][0][own[n][1]] for n in new}
    for n, value in new.items():
        store, name = own[n]
        store[name] = value
    try:
        yield
    finally:
        for n, value in before.items():
            store, name = own[n]
            # What the call made of a buffer (running statistics) is the caller's to see.
            if n in given and store[name] is not new[n] and isinstance(given, dict):
                given[n] = store[name]
            store[name] = value


def _with_tied(own: dict[str, tuple[dict, str]], new: dict[str, Any]) -> dict[str, Any]:
    groups: dict[int, list[str]] = {}
    for n, (store, name) in own.items():
        if store[name] is not None:
            groups.setdefault(id(store[name]), []).append(n)
    result = dict(new)
    for names in groups.values():
        values = {id(new[n]): new[n] for n in names if n in new}
        if len(names) == 1 or not values:
            continue
        if len(values) > 1:
            tied = [n for n in names if n in new]
            raise ValueError(
                f"functional_call got multiple values for keys {tied}, which are tied. Consider "
                "using tie_weights=False"
            )
        (value,) = values.values()
        result.update(dict.fromkeys(names, value))
    return result
