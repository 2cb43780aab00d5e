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

    # -- special -----------------------------------------------------------------------------------

    i0, i0_ = deferred("i0"), in_place(deferred("i0"))
    igamma, igamma_ = deferred("igamma"), in_place(deferred("igamma"))
    igammac, igammac_ = deferred("igammac"), in_place(deferred("igammac"))
    mvlgamma, mvlgamma_ = deferred("mvlgamma"), in_place(deferred("mvlgamma"))
