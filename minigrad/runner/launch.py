"""`python -m minigrad`: runs a script, a module or a command as plain `python` would.

`sys.argv`, `sys.path`, `__main__`, tracebacks and exit codes are those of `python` itself; only
`import torch` finds minigrad.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import os
import sys
import traceback
from collections.abc import Callable
from types import CodeType, ModuleType, TracebackType
from typing import Any

from ..version import __version__
from .finder import ROOTS, WHERE, install_as_torch

USAGE = """usage: python -m minigrad script.py [arguments]
       python -m minigrad -m package.module [arguments]
       python -m minigrad -c "statements" [arguments]

Runs a program written for PyTorch on minigrad: in it, `import torch` and all below it (torch.nn,
torch.utils.data ...) are minigrad's modules, and torchvision is minigrad.vision.
"""


def main(arguments: list[str]) -> int:
    """Runs what the command line says; the exit code, unless the program itself exits."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"minigrad {__version__}")
        return 0
    kind = arguments[0]
    if kind in ("-m", "-c"):
        if len(arguments) < 2:
            print(f"Argument expected for the {kind} option\n{USAGE}", end="", file=sys.stderr)
            return 2
        return (_run_module if kind == "-m" else _run_command)(arguments[1], arguments[2:])
    if kind.startswith("-") and kind != "-":
        print(f"Unknown option: {kind}\n{USAGE}", end="", file=sys.stderr)
        return 2
    return _run_script(kind, arguments[1:])


def _run_script(path: str, arguments: list[str]) -> int:
    if path == "-":
        _set_path("")
        return _execute("-", arguments, lambda: compile(sys.stdin.read(), "<stdin>", "exec"), {})
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, "__main__.py")):
        _set_path(path)
        return _run_module("__main__", arguments, path)
    try:
        with io.open_code(os.path.abspath(path)) as file:
            source = file.read()
    except OSError as error:
        print(
            f"{sys.executable}: can't open file {os.path.abspath(path)!r}: "
            f"[Errno {error.errno}] {error.strerror}",
            file=sys.stderr,
        )
        return 2
    _set_path(os.path.dirname(os.path.realpath(path)))
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    name = os.path.abspath(path)
    return _execute(
        path,
        arguments,
        lambda: compile(source, name, "exec", dont_inherit=True),
        {"__file__": name, "__loader__": loader, "__cached__": None},
    )


def _run_command(command: str, arguments: list[str]) -> int:
    _set_path("")
    return _execute(
        "-c", arguments, lambda: compile(command, "<string>", "exec", dont_inherit=True), {}
    )


def _run_module(name: str, arguments: list[str], argv0: str | None = None) -> int:
    try:
        install_as_torch()
        spec = _spec_of(name)
    except ImportError as error:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return 1
    loader = spec.loader
    assert loader is not None and hasattr(loader, "get_code")
    details = {
        "__file__": spec.origin,
        "__cached__": spec.cached,
        "__loader__": loader,
        "__package__": spec.parent,
        "__spec__": spec,
    }
    return _execute(
        argv0 or spec.origin or name, arguments, lambda: loader.get_code(spec.name), details
    )


def _spec_of(name: str) -> importlib.machinery.ModuleSpec:
    """The module, or the `__main__` of the package, of a name. ImportError if there is none."""
    present = sys.modules.pop("__main__") if name == "__main__" else None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ImportError(
            f"Error while finding module specification for {name!r} "
            f"({type(error).__name__}: {error})"
        ) from error
    finally:
        if present is not None:
            sys.modules["__main__"] = present
    if spec is None:
        raise ImportError(f"No module named {name}")
    if spec.submodule_search_locations is not None:
        if name.endswith("__main__"):
            raise ImportError("Cannot use package as __main__ module")
        try:
            return _spec_of(f"{name}.__main__")
        except ImportError as error:
            raise ImportError(
                f"{error}; {name!r} is a package and cannot be directly executed"
            ) from None
    if spec.loader is None or not hasattr(spec.loader, "get_code"):
        raise ImportError(f"No code object available for {name}")
    return spec


def _set_path(first: str) -> None:
    """Python put the current folder first for `-m minigrad`; it is the program's place."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = first


def _execute(
    argv0: str, arguments: list[str], code: Callable[[], CodeType], details: dict[str, Any]
) -> int:
    sys.argv = [argv0, *arguments]
    program = ModuleType("__main__")
    program.__dict__.update({"__builtins__": __builtins__, "__package__": None, **details})
    if "__loader__" not in details:
        program.__loader__ = importlib.machinery.BuiltinImporter
    program.__annotations__ = {}
    sys.modules["__main__"] = program
    try:
        install_as_torch()
        exec(code(), program.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        return _report(error)
    return 0


def _report(error: BaseException) -> int:
    """Shows an exception as Python does at the end of a program: without the frames of this file.

    An ImportError or AttributeError for a name that minigrad lacks points to the list of names.
    """
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    error.__traceback__ = trace
    _say_what_is_missing(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    try:
        sys.stdout.flush()
        sys.excepthook(type(error), error, trace)
    except BaseException:  # a hook of the program's that fails
        print("Error in sys.excepthook:", file=sys.stderr)
        traceback.print_exc()
        traceback.print_exception(type(error), error, trace)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _say_what_is_missing(error: BaseException) -> None:
    if isinstance(error, ImportError) and error.msg and WHERE not in error.msg:
        name = error.name or ""
        if error.msg.startswith("cannot import name") and name.split(".")[0] in (
            "minigrad",
            *ROOTS,
        ):
            error.msg += f": it is not in minigrad; {WHERE}"
    elif isinstance(error, AttributeError) and len(error.args) == 1 and WHERE not in str(error):
        obj = getattr(error, "obj", None)
        owner = obj if isinstance(obj, type) else type(obj)
        if owner.__module__.split(".")[0] == "minigrad":
            error.args = (f"{error.args[0]}: minigrad has none of this name; {WHERE}",)
