"""Machine code of the compiled kernels: the instructions they are written for, no local memory."""

import collections
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Part of a kernel's name, the architectures, how often opcodes occur at least.
RULES = [
    (r"\dmma_kernelI6__half", "80|90a?", {"HMMA.16816.F32": 16, "LDSM": 4}),
    (r"\dmma_kernelI6__half.*MatrixOperandIS2_EES6_", "80|90a?", {"LDSM": 4, "LDGSTS": 2}),
    (r"\dmma_kernelI13__nv_bfloat16", "80|90a?", {"HMMA.16816.F32.BF16": 16, "LDSM": 4}),
    (r"\dmma_kernelIf", "80|90a?", {"HMMA.1688.F32.TF32": 16}),
    ("simt_kernel.*SimtTileILi128ELi128ELi8.*MatrixOperandIf", ".*", {"FFMA": 512, "LDS.128": 16}),
    ("cast_kernelI6__halff", ".*", {"LDG.E.128": 2, "STG.E.128": 1}),
    (r"\d\dforward_kernelI6__half", "80|90a?", {"HMMA.16816.F32": 8, "LDSM": 4}),
    (r"\d\dbackward_kernelI13__nv_bfloat16", "80|90a?", {"HMMA.16816.F32.BF16": 8, "LDSM": 4}),
    (r"\d\dforward_kernelI", "80|90a?", {"LDGSTS": 3}),
    (r"\d\dbackward_kernelI", "80|90a?", {"LDGSTS": 4}),
    (
        "wgmma_kernelI13__nv_bfloat16",
        "90a",
        {"HGMMA.*F32.BF16": 4, "UTMALDG.3D": 2, "USETMAXREG": 2},
    ),
    ("wgmma_kernelI6__half", "90a", {"HGMMA.*F32": 4, "UTMALDG.3D": 2, "USETMAXREG": 2}),
    ("wgmma_kernelIf", "90a", {"HGMMA.*F32.TF32": 4, "UTMALDG.3D": 2, "USETMAXREG": 2}),
]
# Kernels that may use local memory, how many accesses at most, and for what.
LOCAL = [
    ("simt_kernel", 84, "strides of the batch, looked up once before the work"),
    ("map_kernel.*ApplyRare", 20, "CUDA's own functions: sine and cosine of large numbers"),
    ("cross_entropy(_backward|_columns)?_kernel", 2, "one value more than its registers"),
    ("cross_entropy(_backward)?_kernelId", 10, "float64 on 9.0: values more than its registers"),
    ("row_norm_backward_kernelId", 8, "float64: two values more than its registers, 9.0: four"),
    ("softmax_kernelIdLi1ELb0", 18, "float64 on 9.0: values more than its registers"),
    ("backward_kernelIf.*AttentionTileIfLi64EEELb1", 3, "8.0: a value more than 128 registers"),
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


def compiled():
    """The newest `_cuda`, or what MINIGRAD_SASS names: a module, or a folder with object files."""
    if given := os.environ.get("MINIGRAD_SASS"):
        path = pathlib.Path(given)
        return sorted(path.rglob("*.cu.o")) if path.is_dir() else [path]
    files = [*ROOT.glob("build*/_cuda.*.so"), *ROOT.glob("minigrad/_cuda.*.so")]
    return sorted(files, key=lambda f: f.stat().st_mtime)[-1:]


@pytest.fixture(scope="module")
def dump():
    """A function that runs cuobjdump with an option on them and gives the text."""
    tool, paths = cuobjdump(), compiled()
    if tool is None or not paths:
        pytest.skip("needs cuobjdump (pip install nvidia-cuda-cuobjdump) and a compiled _cuda")

    def run(option):
        commands = [[tool, option, str(path)] for path in paths]
        return "".join(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for command in commands
        )

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
            r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.x]*)", line
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
    if not kernels and "MINIGRAD_SASS" in os.environ:
        pytest.skip("not among the files given")
    assert kernels
    for key, counts in kernels.items():
        for opcode, least in needed.items():
            found = sum(n for name, n in counts.items() if re.match(opcode, name))
            assert found >= least, (key, opcode, found)


def test_no_spills(opcodes):
    """No array of registers is indexed by variables, and none spills, but for those named above."""
    found = {}
    for key, counts in opcodes.items():
        accesses = sum(n for name, n in counts.items() if name.startswith(("LDL", "STL")))
        most = max([n for name, n, _ in LOCAL if re.search(name, key[1])], default=0)
        if accesses > most:
            found[key] = accesses
    assert not found
