"""`Tensor` methods of linear algebra and rare special functions, loaded when first called."""

from __future__ import annotations

from ..deferred import deferred
from ..ops._inplace import in_place


class Deferring:
    """Decompositions, systems of equations, determinants."""

    __slots__ = ()

    # -- linalg ------------------------------------------------------------------------------------

    cholesky = deferred("cholesky")
    cholesky_inverse = deferred("cholesky_inverse")
    cholesky_solve = deferred("cholesky_solve")
    det = deferred("det")
    eig = deferred("eig")
    geqrf = deferred("geqrf")
    inverse = deferred("inverse")
    logdet = deferred("logdet")
    lstsq = deferred("lstsq")
    lu = deferred("lu")
    lu_solve = deferred("lu_solve")
    matrix_exp = deferred("matrix_exp")
    orgqr = deferred("orgqr")
    ormqr = deferred("ormqr")
    pinverse = deferred("pinverse")
    qr = deferred("qr")
    slogdet = deferred("slogdet")
    solve = deferred("solve")
    svd = deferred("svd")
    symeig = deferred("symeig")
    triangular_solve = deferred("triangular_solve")

    # -- quantized ---------------------------------------------------------------------------------

    dequantize = deferred("dequantize")
    int_repr = deferred("int_repr")
    q_per_channel_axis = deferred("q_per_channel_axis")
    q_per_channel_scales = deferred("q_per_channel_scales")
    q_per_channel_zero_points = deferred("q_per_channel_zero_points")
    q_scale = deferred("q_scale")
    q_zero_point = deferred("q_zero_point")
    qscheme = deferred("qscheme_of")

    # -- special -----------------------------------------------------------------------------------

    i0, i0_ = deferred("i0"), in_place(deferred("i0"))
    igamma, igamma_ = deferred("igamma"), in_place(deferred("igamma"))
    igammac, igammac_ = deferred("igammac"), in_place(deferred("igammac"))
    mvlgamma, mvlgamma_ = deferred("mvlgamma"), in_place(deferred("mvlgamma"))

    # -- fft ---------------------------------------------------------------------------------------

    istft = deferred("istft")
    stft = deferred("stft")

    # -- sparse ------------------------------------------------------------------------------------

    _indices = deferred("_indices")
    _nnz = deferred("_nnz")
    _values = deferred("_values")
    coalesce = deferred("coalesce")
    col_indices = deferred("col_indices")
    crow_indices = deferred("crow_indices")
    dense_dim = deferred("dense_dim")
    indices = deferred("indices")
    is_coalesced = deferred("is_coalesced")
    smm = deferred("spmm")
    sparse_dim = deferred("sparse_dim")
    sparse_mask = deferred("sparse_mask")
    to_dense = deferred("to_dense")
    to_sparse = deferred("to_sparse")
    to_sparse_coo = deferred("to_sparse_coo")
    to_sparse_csr = deferred("to_sparse_csr")
    values = deferred("values")
