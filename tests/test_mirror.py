"""The GPU's kernels mirror the CPU's: the same files, the same functions in the same order."""

import pathlib
import re

import pytest

CSRC = pathlib.Path(__file__).resolve().parents[1] / "csrc"
# Files without a twin: what CUDA itself needs, and forms of a family for one kind of chip.
ONLY_CUDA = {"runtime"}
SUFFIXES = (
    "_simt",
    "_vector",
    "_depthwise",
    "_mma",
    "_wgmma",
    "_half",
    "_float",
    "_bfloat16",
    "_tf32",
)


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def cpu_functions():
    """Function pointers in the families' structs, file by file, as they are ordered there."""
    names = {}
    for path in sorted(CSRC.glob("kernels/*.h")):
        text = without_comments(path.read_text())
        names[path.stem] = re.findall(r"\(\*(\w+)\)\(", text)
    return names


def cuda_functions():
    """Functions that csrc/cuda/kernels*.h declare, by the .cu file that a comment names."""
    names, at = {}, None
    for path in sorted((CSRC / "cuda").glob("kernels*.h")):
        for line in path.read_text().splitlines():
            if match := re.match(r"// (\w+)\.cu\b", line):
                at = names.setdefault(match[1], [])
            elif match := re.match(r"(?:Error|int64_t|bool|const char\*) (\w+)\(", line):
                assert at is not None, f"{path.name}: {match[1]} stands under no `// <stem>.cu`"
                at.append(match[1])
    return names


def stem_of_twin(stem):
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem


@pytest.mark.parametrize("path", sorted((CSRC / "cuda").glob("*.cu")), ids=lambda p: p.stem)
def test_every_file_has_a_twin(path):
    if path.stem in ONLY_CUDA:
        return
    twin = stem_of_twin(path.stem)
    assert (CSRC / "cpu" / f"{twin}.cpp").exists() or (CSRC / "kernels" / f"{twin}.h").exists()


def test_functions_of_one_name_stand_in_one_order():
    families = cpu_functions()
    found = 0
    for stem, functions in cuda_functions().items():
        family = families.get(stem_of_twin(stem), [])
        both = [name for name in functions if name in family]
        assert both == [name for name in family if name in both], stem
        found += len(both)
    assert found


def test_every_declared_function_is_defined_in_its_file():
    for stem, functions in cuda_functions().items():
        text = (CSRC / "cuda" / f"{stem}.cu").read_text()
        for name in functions:
            assert re.search(rf"^(?:Error|int64_t|bool|const char\*) {name}\(", text, re.M), (
                stem,
                name,
            )
