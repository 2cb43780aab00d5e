"""docs/coverage.md: which of PyTorch's public names minigrad has, from the installed PyTorch.

python tests/coverage_table.py           print the shares and what is missing
python tests/coverage_table.py --write   write docs/coverage.md
python tests/coverage_table.py --check   exit code 1 if docs/coverage.md would be another
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import textwrap
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FILE = Path(__file__).parent.parent / "docs" / "coverage.md"

# Namespaces, and the share of dense, real CPU names that must be there (percent; None: no aim).
NAMESPACES: dict[str, int | None] = {
    "torch": 90, "Tensor": 90, "nn": 95, "nn.functional": 95, "nn.init": None, "nn.utils": None,
    "optim": 95, "optim.lr_scheduler": None, "linalg": None, "special": None,
    "distributions": None, "func": None, "utils.data": None,
}  # fmt: skip

# Why a name is not here. A name takes the first reason whose pattern is its whole name; those below
# OUTSIDE are not among the dense, real CPU names that the percentages count.
OUTSIDE: dict[str, str] = {
    "complex numbers": r"complex(32|64|128)?|c(half|float|double)|Complex\w+|polar|"
    r"view_as_(complex|real)(_copy)?|i?stft|fft|conj_physical_copy|is_conj_copy",
    "quantized numbers": r"q(u?int\d+x?\d*|scheme|_\w+)|Q\w*Storage|quantiz\w+|quantized_\w+|"
    r"(de|fake_)quantize\w*|empty_quantized|per_(tensor|channel)_\w+|fbgemm_\w+|int_repr|qat|ao|"
    r"choose_qparams_optimized|fused_moving_avg_obs_fake_quant|intrinsic|quantizable|quantized|"
    r"scaled_(grouped_)?mm|ScalingType|SwizzleType",
    "floats and integers of less than 9 bits, and bits": r"u?int[1-7]|bits?\d*(x\d+)?|"
    r"float\d+_e\d+\w*",
    "sparse layouts other than coo": r"sparse_(bsc|bsr|csc|csr|compressed)\w*|"
    r"(to_)?sparse_(bsc|bsr|csc|csr)|to_sparse_(bsc|bsr|csc|csr)|c?(col|row)_indices(_copy)?|crow_indices\w*|"
    r"ccol_indices\w*|(hs|ds|s)s?p?mm|hspmm|sspaddmm|saddmm|sparse_mask|sparse_resize\w*|"
    r"resize_as_sparse_|values_copy|indices_copy",
    "nested tensors": r"nested|jagged|to_padded_tensor",
    "other devices and their libraries": r"(cudnn|miopen|mkldnn)_\w+|mtia|xpu|ipu|to_mkldnn|"
    r"record_stream|\w+_autocast_(ipu|xla)\w*|is_autocast_(ipu|xla)_enabled|has_mkl|has_openmp|"
    r"profiler_allow\w+|is_(ipu|xla)\w*|batch_norm_(backward_\w+|elemt|gather_stats\w*|stats)",
    "PyTorch's compiler, dispatcher and scripting": r"ScriptModule\w*|export|fx|library|classes|"
    r"cpp|package|parse_\w+|import_ir_module\w*|merge_type_from_type_comment|unify_type_list|"
    r"boolean_dispatch|BroadcastingList\d|fork|wait|futures|cond|while_loop|PRIVATE_OPS|"
    r"(has_torch|handle_torch)_function\w*|slice_inverse|SUM|AVG|index|"
    r"USE_\w+|masked|prepare_multiprocessing_environment|get_file_path|init_num_threads|"
    r"assert_int_or_pair|CompilationUnit|JITException|ScriptFunction|DType|classproperty|reproducibility_notes|sparse_support_notes|tf32_notes|"
    r"common_notes|GRID_SAMPLE_\w+|thread_safe_generator|stateless|convert_conv\dd_weight\w+",
    "typed storages, deprecated in PyTorch": r"\w*Storage(Base)?|storage(_type)?",
    "removed or deprecated in PyTorch": r"has_(lapack|spectral)|legacy_contiguous_format|"
    r"native_norm|quantization",
    "quasirandom sequences, whose directions are tables of 21 201 dimensions": r"quasirandom",
    "products of groups of matrices, for the matrix units of GPUs": r"grouped_mm",
    "data pipes, removed from PyTorch's successor of them": r"\w*DataPipe|DataChunk|"
    r"functional_datapipe|guaranteed_datapipes_\w+|non_deterministic|runtime_validation\w*|"
    r"argument_validation",
}
# Inside the percentages, and not here yet.
PLANNED: dict[str, str] = {
    "unsigned integers of more than 8 bits": r"uint(16|32|64)|hash_tensor",
    "sparse coo tensors": r"sparse(_coo\w*)?|coalesce|is_coalesced|(sparse|dense)_dim|to_sparse\w*|"
    r"to_dense|indices|values",
}


class Namespace(NamedTuple):
    """The names of one namespace: those that are here, and why the others are not."""

    have: list[str]
    missing: dict[str, str]

    def inside(self) -> list[str]:
        """The missing names that count."""
        return [name for name, why in self.missing.items() if why not in _NOT_COUNTED]

    def percent(self) -> float:
        """The share of the dense, real CPU names that is here."""
        total = len(self.have) + len(self.inside())
        return 100 * len(self.have) / total if total else 100.0


_LEAK = "Python's own, not PyTorch's"
_INTERNAL = "a class inside PyTorch's compiler, dispatcher or scripting"
_NO_REASON = "no reason yet"
_NOT_COUNTED = {*OUTSIDE, _LEAK, _INTERNAL}


def _place(root: Any, name: str) -> Any:
    for part in name.split("."):
        root = getattr(root, part, None)
    return root


def _leaks(value: Any) -> bool:
    """Whether a namespace holds something only because its file imported it."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] != "torch" or value.__name__ == "torch"
    if value is True or value is False:
        return True  # TYPE_CHECKING
    owner = getattr(value, "__module__", None) or ""
    root = owner.partition(".")[0]
    return root not in ("", "torch", "builtins") or repr(value).startswith("typing")


def _why(name: str, value: Any) -> str:
    for reasons in (OUTSIDE, PLANNED):
        for reason, pattern in reasons.items():
            if re.fullmatch(pattern, name):
                return reason
    if _leaks(value):
        return _LEAK
    if isinstance(value, type) and value.__module__ in ("torch", "torch._C"):
        return _INTERNAL
    return _NO_REASON


def _refuses(value: Any) -> bool:
    """Whether a name of ours only raises an error that says what is missing."""
    if type(value).__name__ == "AbsentDtype":
        return True
    return (getattr(value, "__doc__", None) or "").startswith("NotImplementedError")


def collect() -> dict[str, Namespace]:
    """What is here, by namespace."""
    import torch

    import minigrad

    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for space in NAMESPACES:
            if space not in ("torch", "Tensor"):
                importlib.import_module(f"torch.{space}")
            theirs = torch if space == "torch" else _place(torch, space)
            ours = minigrad if space == "torch" else _place(minigrad, space)
            listed = None if space in ("torch", "nn") else getattr(theirs, "__all__", None)
            have, missing = [], {}
            for name in sorted(set(listed or dir(theirs))):
                value = getattr(theirs, name, None)
                if name.startswith("_") or value is theirs:
                    continue
                mine = getattr(ours, name, None)
                if hasattr(ours, name) and not _refuses(mine):
                    if not _leaks(value) or listed:
                        have.append(name)
                else:
                    missing[name] = _why(name, value)
            found[space] = Namespace(have, missing)
    return found


def _names(names: list[str]) -> str:
    text = " ".join(f"`{name}`" for name in names)
    return "\n".join(textwrap.wrap(text, 150, break_long_words=False, break_on_hyphens=False))


def text_of(found: dict[str, Namespace]) -> str:
    """docs/coverage.md."""
    import torch

    version = torch.__version__.partition("+")[0]
    lines = [
        "# Which of PyTorch's names minigrad has",
        "",
        "Made by `python tests/coverage_table.py --write` from the public names of PyTorch "
        f"{version}; do not edit. The share is of the dense, real CPU names: names outside "
        "(complex or quantized numbers, other devices, PyTorch's compiler, what its files import) "
        "are listed with the reason, and not counted.",
        "",
        "| namespace | here | missing | share | outside |",
        "|---|---|---|---|---|",
    ]
    for space, names in found.items():
        inside = names.inside()
        title = space if space == "torch" else f"torch.{space}"
        lines.append(
            f"| `{title}` | {len(names.have)} | {len(inside)} | {names.percent():.1f} % | "
            f"{len(names.missing) - len(inside)} |"
        )
    for space, names in found.items():
        lines += ["", f"## {space if space == 'torch' else 'torch.' + space}", "", "Here:", ""]
        lines += [_names(names.have)]
        reasons = sorted(set(names.missing.values()), key=lambda r: (r in _NOT_COUNTED, r))
        for reason in reasons:
            which = [name for name, why in names.missing.items() if why == reason]
            kind = "Outside" if reason in _NOT_COUNTED else "Missing"
            lines += ["", f"{kind}: {reason}:", "", _names(which)]
    return "\n".join(lines) + "\n"


def recorded(text: str) -> dict[str, list[str]]:
    """The names that docs/coverage.md says are here, by namespace."""
    found = {}
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        here = body.split("Here:\n\n")[1].split("\n\n")[0]
        space = title.strip().removeprefix("torch.")
        found[space] = re.findall(r"`([^`]+)`", here)
    return found


def main() -> int:
    """Prints, writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = collect()
    text = text_of(found)
    if options.write:
        FILE.write_text(text)
    if options.check and FILE.read_text() != text:
        print("docs/coverage.md is out of date: python tests/coverage_table.py --write")
        return 1
    for space, names in found.items():
        print(f"{space:20} {names.percent():5.1f} %  missing: {' '.join(names.inside())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
