"""Which operations autocast runs in which type: the lists of PyTorch's autocast for the CPU, and
what its list for CUDA adds.

LOWER runs in the chosen type (bfloat16 or float16), FLOAT32 in float32, WIDEST in the widest type
of the operands. Whatever is in no list takes its operands as they come.
"""

from __future__ import annotations

from typing import Any

# Module: names. A name that a module does not have is left out.
LOWER: dict[str, tuple[str, ...]] = {
    "ops": (
        "addbmm", "addmm", "baddbmm", "bmm", "conv1d", "conv2d", "conv3d", "conv_tbc",
        "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul", "mm",
        "prelu", "scaled_dot_product_attention", "tensordot",
    ),
    "ops.contractions": ("_plain_product", "_summed_product"),
    "ops.linalg": ("operator_matmul", "operator_rmatmul"),
    "linalg": ("matmul", "vecdot"),
}  # fmt: skip

FLOAT32: dict[str, tuple[str, ...]] = {
    "ops": (
        "adaptive_avg_pool3d", "adaptive_max_pool3d", "avg_pool3d", "binary_cross_entropy",
        "binary_cross_entropy_with_logits", "cdist", "cosine_embedding_loss", "cross_entropy",
        "ctc_loss", "fractional_max_pool2d", "fractional_max_pool3d", "grid_sample",
        "grid_sampler_2d", "grid_sampler_3d", "hinge_embedding_loss", "huber_loss", "kl_div",
        "l1_loss", "margin_ranking_loss", "max_pool3d", "max_unpool1d", "max_unpool2d",
        "max_unpool3d", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nanquantile",
        "nll_loss", "pad", "poisson_nll_loss", "prod", "quantile", "smooth_l1_loss",
        "soft_margin_loss", "stft", "trace", "triplet_margin_loss",
    ),
    "nn.functional": ("ctc_loss", "multilabel_margin_loss"),
    "linalg": (
        "cholesky", "cholesky_ex", "cond", "eig", "eigh", "eigvals", "eigvalsh",
        "householder_product", "inv", "inv_ex", "lstsq", "matrix_rank", "qr", "solve", "svd",
        "svdvals", "tensorinv", "tensorsolve",
    ),
    "": (
        "cholesky", "cholesky_inverse", "cholesky_solve", "geqrf", "inverse", "lu", "lu_solve",
        "orgqr", "ormqr", "pinverse", "qr", "svd", "triangular_solve",
    ),
}  # fmt: skip


# What runs in float32 for tensors on a GPU alone.
FLOAT32_ON_GPU: dict[str, tuple[str, ...]] = {
    "ops": (
        "acos", "asin", "cosh", "cosine_similarity", "cumprod", "cumsum", "dist", "erfinv", "exp",
        "expm1", "group_norm", "layer_norm", "log", "log10", "log1p", "log2", "log_softmax",
        "logsumexp", "multilabel_margin_loss", "nuclear_norm", "pdist", "pow", "reciprocal",
        "renorm", "rsqrt", "sinh", "softmax", "softplus", "sum", "tan",
    ),
}  # fmt: skip


def _recurrent(args: tuple, kwargs: dict) -> bool:
    """LSTM and plain layers run in the lower type; GRU, and cells with gates, in their states'.

    PyTorch computes the products of the latter in the lower type always, and adds in the states'.
    """
    mode, cell, _, _, x, h, c = args[:7]
    if mode.startswith("RNN") or (mode == "LSTM" and not cell):
        return True
    states = [state for state in (h, c) if state is not None] or [x]  # zeros are as x
    return all(state._array.dtype.itemsize == 2 for state in states)


# Operations that run in the lower type if a function of their arguments says so, else in float32.
LOWER_IF: dict[str, dict[str, Any]] = {"nn._recurrent": {"run": _recurrent}}

WIDEST: dict[str, tuple[str, ...]] = {"ops": ("cat", "index_copy", "stack")}


# Operations that take their operands as they come, and whose inner products do too.
ALONE: dict[str, tuple[str, ...]] = {
    "linalg": (
        "det", "ldl_factor", "ldl_solve", "lu", "lu_factor", "lu_solve", "matrix_exp", "slogdet",
        "solve_triangular",
    ),
}  # fmt: skip


def _padded_with_zeros(args: tuple, kwargs: dict) -> bool:
    mode = kwargs.get("mode", args[2] if len(args) > 2 else "constant")
    return mode not in ("reflect", "replicate")


def _with_indices(args: tuple, kwargs: dict) -> bool:
    return bool(kwargs.get("return_indices", args[6] if len(args) > 6 else False))


# Calls of an operation above that autocast leaves alone.
EXCEPT: dict[str, Any] = {"max_pool3d": _with_indices, "pad": _padded_with_zeros}
