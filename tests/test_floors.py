"""The architecture's floors: a module imports only from floors below its own, or from its own."""

from __future__ import annotations

import ast
from pathlib import Path

import minigrad

ROOT = Path(minigrad.__file__).parent

# The first prefix that matches a module's path names its floor; see docs/architecture.md.
FLOORS = [
    ("__init__", 9),
    ("__main__", 9),
    ("runner", 9),
    ("vision", 8),
    ("secure", 8),
    ("train", 8),
    ("ao", 8),
    ("compress", 8),
    ("transfer", 8),
    ("pipelining", 8),
    ("einops_backend", 5),
    ("einops_layers", 7),
    ("optim", 7),
    ("overrides", 7),
    ("utils", 7),
    ("_dynamo", 7),
    ("_inductor", 7),
    ("jit", 7),
    ("library", 7),
    ("profiler", 7),
    ("distributions", 7),
    ("func", 7),
    ("compiler", 7),
    ("meta", 7),
    ("nn", 6),
    ("random", 4),
    ("random_counts", 4),
    ("fills", 4),
    ("samplers", 4),
    ("serialization", 5),
    ("native", 5),
    ("testing", 5),
    ("signal", 5),
    ("__config__", 5),
    ("__future__", 5),
    ("accelerator", 5),
    ("amp", 5),
    ("backends", 5),
    ("cpu", 5),
    ("cuda", 5),
    ("determinism", 5),
    ("distributed", 5),
    ("hub", 5),
    ("monitor", 5),
    ("mps", 5),
    ("onnx", 5),
    ("multiprocessing", 7),
    ("overrides", 5),
    ("storage", 5),
    ("types", 5),
    ("xpu", 5),
    ("tensor", 4),
    ("methods", 4),
    ("in_place", 5),
    ("foreach", 5),
    ("printing", 4),
    ("dispatch", 3),
    ("exchange", 2),
    ("ops", 3),
    ("generator", 2),
    ("autograd", 2),
    ("kernels", 1),
    ("backend", 0),
    ("dtypes", 0),
    ("settings", 0),
    ("streams", 0),
    ("return_types", 0),
    ("size", 0),
    ("symbolic", 0),
    ("torch_version", 0),
    ("version", 0),
    ("config", 5),
    ("creation", 4),
    ("deferred", 4),
    ("fft", 6),
    ("linalg", 4),
    ("sparse", 4),
    ("special", 4),
    ("attributes", 4),
    ("conversion", 4),
    ("complexes", 6),
    ("quantized", 6),
    ("spectrograms", 6),
    ("element_calls", 4),
    ("queries", 4),
    ("return_types", 0),
]


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def floor_of(module: tuple[str, ...]) -> int:
    for prefix, floor in FLOORS:
        if module and module[0] == prefix:
            return floor
    raise AssertionError(f"minigrad.{'.'.join(module)} stands on no floor: add it to FLOORS")


def imports_of(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """(line, module inside minigrad) for each import of the package at run time."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    package = module_of(path) if path.name == "__init__.py" else module_of(path)[:-1]
    if path == ROOT / "__init__.py":
        package = ()
    found: list[tuple[int, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                target = (*base, *(node.module or "").split(".")) if node.module else base
            elif node.module and node.module.split(".")[0] == "minigrad":
                target = tuple(node.module.split(".")[1:])
            else:
                continue
            if target:
                found.append((node.lineno, target))
            else:
                found.extend((node.lineno, (alias.name,)) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "minigrad":
                    found.append((node.lineno, tuple(parts[1:]) or ("__init__",)))
    return found


def test_imports_point_down() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        here = floor_of(module_of(path))
        for line, target in imports_of(path):
            if target[0] == "_C":
                if module_of(path)[0] not in ("kernels", "config"):
                    wrong.append(f"{path.relative_to(ROOT)}:{line} imports the compiled module")
            elif floor_of(target) > here:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {'.'.join(target)} above it")
    assert not wrong, "\n".join(wrong)


def test_only_settings_reads_the_environment() -> None:
    for path in ROOT.rglob("*.py"):
        if path.name != "settings.py":
            assert "os.environ" not in path.read_text(), path


def test_the_check_sees_an_upward_import(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "ops").mkdir()
    bad = tmp_path / "ops" / "bad.py"
    bad.write_text("from ..nn import functional\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imports_of(bad) == [(1, ("nn",))]
    assert floor_of(("nn",)) > floor_of(module_of(bad))
