"""_C.pyi names what the compiled module has, no more and no less."""

import ast
from pathlib import Path

import minigrad
from minigrad.kernels.cpu import _C


def test_stub_has_the_names_of_the_module():
    tree = ast.parse((Path(minigrad.__file__).parent / "_C.pyi").read_text())
    declared = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    declared |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert declared == {name for name in dir(_C) if not name.startswith("__")}
