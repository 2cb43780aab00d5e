"""`install_as_torch`: from then on `import torch` finds minigrad's own modules, in this process.

A module of PyTorch's name *is* the module of minigrad: `sys.modules["torch.nn"] is minigrad.nn`, so
classes compare, and pickles of either name load.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing.spawn
import sys
from types import ModuleType
from typing import Any

from .. import random, torch_version
from ..serialization import files
from .names import MODULES, NOT_TORCH, PRIVATE, ROOTS, SPREAD

WHERE = "docs/coverage.md lists what is"

# What `import minigrad` has loaded, so that a program reaches it without an import of its own.
_LOADED = (
    "torch._C", "torch.autograd", "torch.nn.functional", "torch.nn.init", "torch.nn.utils",
    "torch.optim.lr_scheduler", "torch.optim.optimizer",
    *(f"torch.nn.modules.{file}" for file in sorted(SPREAD["torch.nn.modules"][1])),
)  # fmt: skip


def resolve(name: str) -> ModuleType | None:
    """The module of minigrad that stands for PyTorch's (or torchvision's) module `name`."""
    parent, _, last = name.rpartition(".")
    if parent == "torch" and last in NOT_TORCH:
        return None
    if not parent:
        return _existing(ROOTS[name])
    wanted = MODULES.get(name)
    if wanted is None:
        root, _, rest = name.partition(".")
        wanted = f"{ROOTS[root]}.{rest}"
    found = _existing(wanted)
    if found is None and parent in SPREAD:
        package, files = SPREAD[parent]
        if last in files:
            found = _existing(f"{package}.{last}") or importlib.import_module(package)
    return found


def _existing(name: str) -> ModuleType | None:
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            return None  # a package above it does not exist
        raise
    except ValueError:  # in sys.modules without a spec
        return sys.modules.get(name)
    return None if spec is None else importlib.import_module(name)


class _Given(importlib.abc.Loader):
    """Hands a module that exists to the import system, which would replace its `__spec__`."""

    def __init__(self, module: ModuleType):
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class TorchFinder(importlib.abc.MetaPathFinder):
    """Finds `torch`, `torchvision` and all below them in minigrad."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        root = fullname.partition(".")[0]
        if root not in ROOTS:
            return None
        module = resolve(fullname)
        if module is None:
            if fullname in ROOTS or _only_asked(fullname):
                return None
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it is not in minigrad; {WHERE}", name=fullname
            )
        explain(module, fullname)
        below = f"{fullname}."  # a package of PyTorch's may be a file of ours
        package = hasattr(module, "__path__") or any(name.startswith(below) for name in MODULES)
        return importlib.machinery.ModuleSpec(fullname, _Given(module), is_package=package)


def _only_asked(name: str) -> bool:
    """Whether the caller of a finder is `importlib.util.find_spec`, which wants None, no error.

    Not for the names of our files that are none of PyTorch's, which the next finder would find.
    """
    asker = sys._getframe(3).f_code
    return asker is importlib.util.find_spec.__code__ and name.rpartition(".")[2] not in NOT_TORCH


_explained: dict[int, ModuleType] = {}


def explain(module: ModuleType, torch_name: str) -> None:
    """Lets a module say which of PyTorch's names it lacks, and look where PyTorch has others."""
    if id(module) in _explained:
        return
    _explained[id(module)] = module
    own = module.__dict__.get("__getattr__")
    private = PRIVATE.get(module.__name__, {})
    package = SPREAD.get(torch_name.rpartition(".")[0], (None,))[0]
    if package == module.__name__:
        package = None

    def __getattr__(name: str) -> Any:
        if own is not None:
            try:
                value = own(name)
            except AttributeError as error:
                if name not in str(error):
                    raise
            else:
                if isinstance(value, ModuleType) and value.__name__.startswith(module.__name__):
                    explain(value, f"{torch_name}.{name}")
                return value
        if package is not None and not name.startswith("__"):
            other = sys.modules[package].__dict__
            if name in other:
                return other[name]
        if name in private:
            value = _named(private[name], f"{torch_name}.{name}")
            setattr(module, name, value)
            return value
        message = f"module {torch_name!r} has no attribute {name!r}"
        if not name.startswith("__"):
            message += f": {torch_name}.{name} is not in minigrad; {WHERE}"
        raise AttributeError(message, name=name, obj=module)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]


def _named(target: str, torch_name: str) -> Any:
    """What "module:name" of the table of private names means."""
    source, _, name = target.partition(":")
    module = importlib.import_module(source)
    if name:
        return getattr(module, name)
    explain(module, torch_name)
    return module


class _Install:
    """Installs the mapping where it is unpickled: in processes that multiprocessing spawns."""

    def __reduce__(self) -> tuple:
        return (install_as_torch, ())


def install_as_torch() -> None:
    """Makes `import torch`, and every module below it, find minigrad in this process.

    `torchvision` is minigrad.vision then, as the real one needs the real torch. Processes that
    multiprocessing starts do the same. As programs expect it, `minigrad.__version__` becomes the
    version of PyTorch whose names minigrad follows, `save` writes PyTorch's files by default, and
    dropout draws PyTorch's numbers (`random.match_torch`). RuntimeError if the real torch is there.
    """
    package = sys.modules[__name__.partition(".")[0]]
    for name in ROOTS:
        present = sys.modules.get(name)
        if present is not None and not present.__name__.startswith(package.__name__):
            at = getattr(present, "__file__", None)
            raise RuntimeError(
                f"install_as_torch: the real {name} is already imported (from {at}); call it "
                "before anything imports torch, or start the program with "
                "`python -m minigrad script.py`"
            )
    if any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, TorchFinder())
    package.__version__ = torch_version.mapped()  # type: ignore[attr-defined]
    files.default_format = "pt"
    random.match_torch(True)
    for name in _LOADED:
        with contextlib.suppress(ModuleNotFoundError):  # _C, where it is not built
            importlib.import_module(name)
    _install_in_spawned_processes()


def _install_in_spawned_processes() -> None:
    prepare = multiprocessing.spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict:
        # The data are unpickled before the child imports the main module.
        return {"minigrad": _Install(), **prepare(name)}

    multiprocessing.spawn.get_preparation_data = get_preparation_data
