"""_cuda.pyi names what the compiled module has, no more and no less."""

import ast
from pathlib import Path

import minigrad

COMPILED = {"architectures"}
EMULATED = {
    "record_barriers", "recorded_barriers", "remove_barrier", "set_device", "set_order",
}  # fmt: skip


def test_stub_has_the_names_of_the_module(cuda):
    tree = ast.parse((Path(minigrad.__file__).parent / "_cuda.pyi").read_text())
    declared = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    declared |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    other = EMULATED if cuda.device.name == "GPU" else COMPILED
    found = {name for name in dir(cuda.compiled) if not name.startswith("__")}
    assert declared - other == found


def test_the_arguments_are_those_of_the_module(cuda):
    """Where the compiled function tells them: its first line of help counts as many."""
    tree = ast.parse((Path(minigrad.__file__).parent / "_cuda.pyi").read_text())
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.args.vararg:
            continue
        told = getattr(getattr(cuda.compiled, node.name, None), "__doc__", None) or ""
        head = told.split("):")[0]
        if not head.startswith(f"{node.name}(") or "..." in head or " or " in head:
            continue
        inside = head[len(node.name) + 1 :].rstrip(")")
        names = [name for name in inside.split(",") if name.strip()]
        assert len(names) == len(node.args.posonlyargs), f"{node.name}: {told}"
