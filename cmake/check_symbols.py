"""Fail if kernel objects of one instruction set define symbols that other objects may share.

Usage: check_symbols.py NM ISA OBJECT...

The linker keeps one copy of every weak symbol (an inline function of a header, a std:: template).
If it kept the AVX-512 copy, code of another instruction set would call it. Weak symbols are fine
when their mangled name holds the namespace of the instruction set.
"""

import subprocess
import sys

WEAK = set("WVuBD")  # B and D: global variables, which must live in the namespace as well


def shared_symbols(nm: str, isa: str, objects: list[str]) -> list[str]:
    """Return the lines of `nm` that name a mergeable symbol outside mg::<isa>."""
    listing = subprocess.run(
        [nm, "--defined-only", *objects], check=True, capture_output=True, text=True
    ).stdout
    namespace = f"2mg{len(isa)}{isa}"
    found = []
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in WEAK and namespace not in fields[2]:
            found.append(fields[2])
    return sorted(set(found))


if __name__ == "__main__":
    nm, isa, *objects = sys.argv[1:]
    if shared := shared_symbols(nm, isa, objects):
        sys.exit(
            f"kernels for {isa} define symbols outside namespace mg::{isa}:\n  "
            + "\n  ".join(shared)
            + "\nmark the function `static inline` or MG_INLINE, or move it into the namespace"
        )
