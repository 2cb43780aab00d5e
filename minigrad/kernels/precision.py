"""Whether products and convolutions of float32 on a GPU may be rounded to TF32 on their way in.

The switches of `minigrad.backends` and `set_float32_matmul_precision` write it, kernels read it.
"""

from __future__ import annotations


class Precision:
    """PyTorch's settings, with its defaults: products are exact, convolutions may be rounded."""

    matmul = "none"  # "tf32", "ieee" or "none", which is as "ieee"
    conv = "tf32"
    rnn = "tf32"
    float32_matmul = "highest"  # or "high", "medium"

    @property
    def matmul_tf32(self) -> bool:
        """Whether products may be rounded."""
        return self.matmul == "tf32"

    @property
    def conv_tf32(self) -> bool:
        """Whether convolutions may be rounded."""
        return self.conv == "tf32"

    def set_matmul(self, level: str) -> None:
        """What `set_float32_matmul_precision` is given."""
        self.float32_matmul = level
        self.matmul = "ieee" if level == "highest" else "tf32"


def checked(value: str) -> str:
    """A precision by its name. RuntimeError for others."""
    if value not in ("none", "ieee", "tf32"):
        raise RuntimeError(f"Unknown precision: {value}")
    return value


precision = Precision()
