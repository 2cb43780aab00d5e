"""docs/coverage.md holds: no name that it says is here has gone, and the aims are reached."""

from __future__ import annotations

import coverage_table
import pytest

import minigrad as mg

RECORDED = coverage_table.recorded(coverage_table.FILE.read_text())


@pytest.mark.parametrize("space", coverage_table.NAMESPACES)
def test_names_that_are_recorded_are_here(space):
    place = mg if space == "torch" else coverage_table._place(mg, space)
    assert len(RECORDED[space]) > 5
    gone = [name for name in RECORDED[space] if not hasattr(place, name)]
    assert not gone, f"recorded in docs/coverage.md, but gone from {space}: {gone}"


@pytest.fixture(scope="module")
def found():
    torch = pytest.importorskip("torch")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the table is of another version of PyTorch")
    return coverage_table.collect()


@pytest.mark.parametrize(
    "space", [space for space, aim in coverage_table.NAMESPACES.items() if aim is not None]
)
def test_aims_are_reached(space, found):
    aim = coverage_table.NAMESPACES[space]
    assert found[space].percent() >= aim, f"missing: {found[space].inside()}"


def test_names_that_only_raise_are_not_counted():
    assert coverage_table._refuses(mg.complex64)
    assert not coverage_table._refuses(mg.add)


def test_reasons_name_what_is_outside():
    why = coverage_table._why
    assert why("complex64", None) == "complex numbers"
    assert why("quantize_per_tensor", None) == "quantized numbers"
    assert why("math", __import__("math")) == "Python's own, not PyTorch's"
    assert why("add", len) == "no reason yet"
