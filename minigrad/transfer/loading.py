"""Weights of one model for another that is not quite the same, and what of them fitted."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..autograd.modes import no_grad
from ..autograd.variable import Variable
from ..nn import Module
from ..serialization import load

__all__ = ["LoadReport", "load_pretrained"]


@dataclass
class LoadReport:
    """What became of the names of a model and of the weights that were given.

    `loaded`: names of the model that have new values. `missing`: names of the model for which
    nothing was given. `unexpected`: given names that the model has not. `mismatched`: names of
    another shape, with (given, needed).
    """

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple, tuple]] = field(default_factory=dict)

    def __str__(self) -> str:
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        lines = [f"loaded {len(self.loaded)} of {total} tensors of the model"]
        lines += [f"  other shape  {n}: given {a}, needed {b}" for n, (a, b) in
                  self.mismatched.items()]  # fmt: skip
        lines += [f"  missing      {name}" for name in self.missing]
        lines += [f"  unexpected   {name}" for name in self.unexpected]
        return "\n".join(lines)


def _weights_of(source: Any) -> dict[str, Any]:
    if isinstance(source, (str, os.PathLike)):
        source = load(source, map_location="cpu")
    if isinstance(source, Module):
        return dict(source.state_dict())
    if isinstance(source, dict):
        for key in ("state_dict", "model_state_dict", "model"):  # checkpoints of training programs
            inner = source.get(key)
            if isinstance(inner, Module):
                return dict(inner.state_dict())
            if isinstance(inner, dict):
                return _weights_of(inner)
        return dict(source)
    raise TypeError(
        f"load_pretrained: {type(source).__name__} was given; a state_dict, a module or the path "
        "of a file with one is needed"
    )


def _renamed(name: str, rename: Any) -> str | None:
    if callable(rename):
        return rename(name)
    for prefix, other in (rename or {}).items():
        if name.startswith(prefix):
            return None if other is None else other + name[len(prefix) :]
    return name


def load_pretrained(
    model: Any,
    source: Any,
    *,
    rename: dict[str, str | None] | Callable[[str], str | None] | None = None,
    strict: bool = False,
) -> LoadReport:
    """Copies into a model what fits of other weights, by name, and reports what did not.

    `source`: a state_dict, a checkpoint that has one under "state_dict", "model_state_dict" or
    "model", a module, or the path of a file with one of these. `rename`: a dictionary of prefixes
    and what stands in their place (`{"module.": "", "head.": None}`; None leaves the tensor out;
    the first that fits counts) or a function of a name. Tensors of another shape are left as they
    were, as a new head needs. ValueError if two names become one, or if nothing at all fitted;
    with `strict` RuntimeError if anything is missing, unexpected or of another shape, and the
    model is as before.
    """
    targets = {n: t for n, t in model.state_dict(keep_vars=True).items() if isinstance(t, Variable)}
    given: dict[str, Any] = {}
    for name, value in _weights_of(source).items():
        new = _renamed(name, rename)
        if new is None or not isinstance(value, Variable):
            continue
        if new in given:
            raise ValueError(f"load_pretrained: two of the given names become {new!r}")
        given[new] = value
    report = LoadReport(unexpected=[name for name in given if name not in targets])
    for name, target in targets.items():
        if name not in given:
            report.missing.append(name)
        elif given[name].shape != target.shape:
            report.mismatched[name] = (tuple(given[name].shape), tuple(target.shape))
        else:
            report.loaded.append(name)
    if strict and (report.missing or report.unexpected or report.mismatched):
        raise RuntimeError(f"load_pretrained: the weights do not fit exactly: {report}")
    if not report.loaded:
        raise ValueError(f"load_pretrained: no tensor fits by name and shape; {report}")
    with no_grad():
        for name in report.loaded:
            targets[name].copy_(given[name])
    return report
