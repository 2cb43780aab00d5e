"""The Python code of the kernels once more, with a GPU's library in the place of NumPy.

`minigrad/kernels/*.py` says what every kernel computes with NumPy's functions, and calls compiled
code (`_C`) where that takes the arguments. Here the same files are executed a second time, with
`cuda_numpy` for `import numpy` and a table of GPU kernels for `_C`, which declines (None) what it
lacks as `_C` does. So the GPU has every kernel under the same name, and there is one text of each.
"""

from __future__ import annotations

import builtins
import importlib.util
import types
from typing import Any

from . import cuda_numpy

# Modules that are the same for both: they do not compute with arrays.
_SHARED = ("fast", "streams", "threadpool", "bessel_tables")


class Forms:
    """The modules of this package, executed for the GPU when first asked for."""

    def __init__(self, compiled: Any):
        self._compiled = compiled
        self.modules: dict[str, types.ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.module(name)

    def module(self, name: str) -> Any:
        """The module of this package of that name, for the GPU."""
        if name == "_C":
            return self._compiled
        if name in _SHARED:
            return importlib.import_module(f"{__package__}.{name}")
        module = self.modules.get(name)
        if module is None:
            full = f"{__package__}.{name}"
            spec = importlib.util.find_spec(full)
            if spec is None or spec.loader is None:
                raise ImportError(full)
            module = self.modules[name] = types.ModuleType(full, f"{name} on a GPU")
            module.__package__ = __package__
            module.__dict__["__builtins__"] = self._builtins
            exec(spec.loader.get_code(full), module.__dict__)  # type: ignore[attr-defined]
        return module

    def _import(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        """What `import` does in these modules."""
        if level == 1:
            return self.module(name) if name else self
        if level == 0 and name == "numpy":
            return cuda_numpy.numpy
        if level == 0 and name == "numpy.lib.stride_tricks":
            return cuda_numpy.numpy.lib.stride_tricks
        return builtins.__import__(name, globals, locals, fromlist, level)
