"""Machine code of the compiled kernels: the instructions they are written for, no local memory."""

import collections
import importlib.util
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MATRIX = {"LDSM": 4, "LDGSTS": 2}
# Part of a kernel's name, the architectures, how often opcodes occur at least.
RULES = [
    ("mma_kernelI6__half", "80|90", {"HMMA.16816.F32": 16, **MATRIX}),
    ("mma_kernelI13__nv_bfloat16", "80|90", {"HMMA.16816.F32.BF16": 16, "LDSM": 4}),
    ("mma_kernelIf", "80|90", {"HMMA.1688.F32.TF32": 16, "LDSM": 1}),
    ("simt_kernel.*SimtTileILi128ELi128ELi8.*MatrixOperandIf", ".*", {"FFMA": 512, "LDS.128": 16}),
    ("cast_kernelI6__halff", ".*", {"LDG.E.128": 2, "STG.E.128": 1}),
    ("forward_kernelI6__half", "80|90", {"HMMA.16816.F32": 8, "LDSM": 4}),
    ("backward_kernelI13__nv_bfloat16", "80|90", {"HMMA.16816.F32.BF16": 8, "LDSM": 4}),
]


def cuobjdump():
    if found := shutil.which("cuobjdump"):
        return found
    try:
        spec = importlib.util.find_spec("nvidia")
    except ValueError:
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in pathlib.Path(folder).glob("*/bin/cuobjdump"):
            return str(path)
    return None


def module():
    files = [*ROOT.glob("build*/_cuda.*.so"), *ROOT.glob("minigrad/_cuda.*.so")]
    return max(files, key=lambda f: f.stat().st_mtime) if files else None


@pytest.fixture(scope="module")
def dump():
    """A function that runs cuobjdump with an option on the module and gives the lines."""
    tool, path = cuobjdump(), module()
    if tool is None or path is None:
        pytest.skip("needs cuobjdump (pip install nvidia-cuda-cuobjdump) and a compiled _cuda")

    def run(option):
        command = [tool, option, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


@pytest.fixture(scope="module")
def opcodes(dump):
    """{(architecture, function): how often each opcode occurs}."""
    counts, arch = {}, ""
    for line in dump("-sass").splitlines():
        if match := re.match(r"\s*code for sm_(\w+)", line):
            arch = match[1]
        elif match := re.match(r"\s*Function : (\S+)", line):
            function = counts[arch, match[1]] = collections.Counter()
        elif match := re.match(
            r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", line
        ):
            function[match[1]] += 1
    return counts


@pytest.mark.parametrize("name, archs, needed", RULES, ids=[rule[0] for rule in RULES])
def test_instructions(opcodes, name, archs, needed):
    kernels = {
        k: v for k, v in opcodes.items() if re.fullmatch(archs, k[0]) and re.search(name, k[1])
    }
    if not any(re.fullmatch(archs, arch) for arch, _ in opcodes):
        pytest.skip("not compiled for these architectures")
    assert kernels
    for key, counts in kernels.items():
        for opcode, least in needed.items():
            found = sum(n for name, n in counts.items() if name.startswith(opcode))
            assert found >= least, (key, opcode, found)


def test_no_spills(opcodes):
    """No array of registers is indexed by variables, and none spills. The strides of a batch, which
    are looked up once before the work, may lie in local memory."""
    spilled = {}
    for key, counts in opcodes.items():
        accesses = sum(n for name, n in counts.items() if name.startswith(("LDL", "STL")))
        if accesses > 80:
            spilled[key] = accesses
    assert not spilled
