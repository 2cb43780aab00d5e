"""Rows of `ops/linalg.py`, `added_products.py`, `contractions.py` and `products.py`."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
# Sums of products of both signs: the error is relative to the terms, not to the sum.
LOOSE = {"float16": 1e-2, "bfloat16": 6e-2}


def _row(name: str, *args, bad: tuple | None = None, **more) -> Row:
    more.setdefault("dtypes", NUMBERS)
    return Row(name, args, bad=bad, rtol=LOOSE, **more)


def _bad(pattern: str, *args, error: type = RuntimeError) -> tuple:
    return (args, {}, error, pattern)


def _vander(x, n: int | None = None, increasing: bool = False):
    """PyTorch's own `vander` cannot be differentiated."""
    powers = x[:, None] ** type(x)(range(len(x) if n is None else n)).to(x.dtype)
    return powers if increasing else powers.flip(1)


V3, V4, M34, M45 = A((3,)), A((4,)), A((3, 4)), A((4, 5))
B34, B45 = A((2, 3, 4)), A((2, 4, 5))
POWERS = ("int64", *FLOATS)
SCALED = {"beta": 2, "alpha": 3}

ROWS = [
    _row("matmul", M34, M45, bad=_bad(r"cannot be multiplied \(3x4 and 3x4\)", M34, M34)),
    _row("matmul", V4, V4, label="1d-1d"),
    _row("matmul", V4, M45, label="1d-2d"),
    _row("matmul", M34, V4, label="2d-1d"),
    _row("matmul", B34, V4, label="3d-1d"),
    _row("matmul", V4, B45, label="1d-3d"),
    _row("matmul", B34, M45, label="3d-2d"),
    _row("matmul", M34, B45, label="2d-3d"),
    _row("matmul", B34, B45, label="3d-3d"),
    _row("matmul", A((2, 1, 3, 4)), A((3, 4, 5)), label="broadcast"),
    _row("matmul", A((2, 3, 3, 4)), A((1, 3, 4, 2)), label="4d"),
    _row("matmul", A((2, 3, 3, 4)), V4, label="4d-1d"),
    _row("matmul", A((3, 0)), A((0, 5)), label="inner-empty"),
    _row("matmul", A((1, 1)), A((1, 1)), label="1x1"),
    _row("mm", M34, M45, bad=_bad("self must be a matrix", V4, M45)),
    _row("bmm", B34, B45, bad=_bad("batch1 must be a 3D tensor", M34, B45)),
    _row("mv", M34, V4, bad=_bad("size mismatch, got input", M34, V3)),
    _row("dot", V4, V4, bad=_bad("inconsistent tensor size", V3, V4)),
    _row("vdot", V4, V4, bad=_bad("1D tensors expected", M34, V4)),
    _row("inner", M34, A((2, 5, 4)), bad=_bad("last dimension must match", M34, V3)),
    _row("inner", V4, V4, label="1d"),
    _row("inner", M34, A(()), label="0d"),
    _row("outer", V3, V4, bad=_bad("Expected 1-D argument vec2, but got 2-D", V3, M34)),
    _row("outer", V3, V4, dtypes=("bool",), grad=False, label="bool"),
    _row("ger", V3, V4),
    _row("addmm", A((3, 5)), M34, M45, bad=_bad("mat2 must be a matrix, got 1-D", M34, M34, V4)),
    _row("addmm", A((5,)), M34, M45, kwargs=SCALED, label="broadcast"),
    _row("addmm", A(()), M34, M45, kwargs={"beta": 0.5, "alpha": -2.0}, label="0d", dtypes=FLOATS),
    _row("addmm", A((3, 1)), M34, M45, kwargs={"beta": 0}, label="beta0"),
    _row("addmm", A((3, 1)), M34, M45, kwargs={"beta": -1, "alpha": -3}, label="negative"),
    _row("addmv", V3, M34, V4, kwargs=SCALED, bad=_bad("size mismatch", V4, M34, V4)),
    _row("addmv", A((1,)), M34, V4, label="broadcast"),
    _row("baddbmm", A((2, 3, 5)), B34, B45, bad=_bad("batch1 must be", M34, M34, B45)),
    _row("baddbmm", A((3, 1)), B34, B45, kwargs=SCALED, label="broadcast"),
    _row("addbmm", A((3, 5)), B34, B45, kwargs=SCALED, bad=_bad("batch2 must be", M34, B34, M45)),
    _row("addbmm", A((5,)), B34, B45, label="broadcast"),
    _row("addr", M34, V3, V4, kwargs=SCALED, bad=_bad("argument vec1, but got 2-D", M34, M34, V4)),
    _row("addr", A((1,)), V3, V4, label="broadcast"),
    _row("addr", A((), dtype="int32"), V3, V4, label="0d", dtypes=("int8", "uint8", *HALVES)),
    _row("addr", M34, V3, V4, kwargs={"beta": 0}, label="beta0"),
    _row("linear", M34, A((5, 4)), A((5,)), bad=_bad("cannot be multiplied", M34, A((5, 3)))),
    _row("linear", M34, A((5, 4)), label="no-bias"),
    _row("linear", V4, A((5, 4)), A((5,)), label="1d"),
    _row("linear", A((2, 3, 4)), A((5, 4)), A((5,)), label="3d"),
    _row("linear", A((1, 4)), A((5, 4)), A((5,)), label="one-row"),
    _row("linear", M34, V4, label="vector"),
    _row("linear", M34, A((5, 4)), A((3, 1)), label="wide-bias"),
    _row("tensordot", B34, A((3, 4, 5)), bad=_bad("contracted dimensions", M34, M45, 2)),
    _row("tensordot", B34, B45, ([0, 2], [0, 1]), label="lists"),
    _row("tensordot", M34, V3, 0, label="none"),
    _row("tensordot", A((3, 1)), A((2, 4)), ([1], [1]), label="broadcast", dtypes=FLOATS),
    _row("kron", A((2, 3)), A((2, 2)), bad=_bad("must be Tensor", M34, 3, error=TypeError)),
    _row("kron", A((2, 3)), V3, label="ranks"),
    _row("kron", A(()), V3, label="0d"),
    _row("vander", V3, dtypes=POWERS, bad=_bad("one-dimensional", M34), torch=_vander),
    _row("vander", V3, 2, True, label="increasing", torch=_vander, dtypes=POWERS),
    _row("vander", V3, 0, label="none", grad=False),
    _row("chain_matmul", M34, M45, A((5, 2)), bad=_bad("Tensor dimension is 1", V3, M34)),
    _row("trace", A((3, 4)), bad=_bad("expected a matrix", V3), dtypes=(*ALL_INTS, *FLOATS)),
    _row("cross", A((3, 4)), A((3, 4)), bad=_bad("no dimension of size 3", M45, M45)),
    _row("cross", A((4, 3)), A((1, 3)), kwargs={"dim": -1}, label="broadcast"),
    _row("matrix_power", A((2, 3, 3)), 5, bad=_bad("square matrices", M34, 2), dtypes=POWERS),
    _row("matrix_power", A((3, 3)), 0, label="0", dtypes=POWERS, grad=False),
    _row("matrix_power", A((3, 3)), 1, label="1", dtypes=POWERS),
    _row("matrix_power", A((3, 3)), -2, label="inverse", dtypes=FLOATS),
    _row(
        "bilinear",
        M34,
        A((3, 5)),
        A((6, 4, 5)),
        A((6,)),
        dtypes=FLOATS,
        bad=_bad("input2 size does not match", M34, M34, A((6, 4, 5))),
    ),
    _row("bilinear", A((2, 3, 4)), A((2, 3, 5)), A((6, 4, 5)), dtypes=FLOATS, label="no-bias"),
    *[
        _row("einsum", equation, *operands, label=equation, dtypes=dtypes)
        for equation, operands, dtypes in (
            ("ij,jk->ik", (M34, M45), NUMBERS),
            ("ij,jk", (M34, M45), NUMBERS),
            ("ij,jk->k", (A((2, 1)), A((1, 1))), ("bool", *NUMBERS)),
            ("ij,ij", (A((3, 1)), A((1, 1))), NUMBERS),
            ("ij->i", (M34,), ("bool", *NUMBERS)),
            ("ij,kj->ki", (M34, A((5, 4))), FLOATS),
            ("bij,bjk->bik", (B34, B45), NUMBERS),
            ("bij,bjk->kbi", (B34, B45), FLOATS),
            ("ij,ij->ij", (M34, M34), NUMBERS),
            ("ij,ij->", (M34, M34), FLOATS),
            ("ij,ij->j", (M34, A((1, 4))), FLOATS),
            ("i,j->ij", (V3, V4), NUMBERS),
            ("i,i", (V3, V3), FLOATS),
            ("ij->ji", (M34,), NUMBERS),
            ("ij->", (M34,), FLOATS),
            ("ii", (A((3, 3)),), FLOATS),
            ("ii->i", (A((3, 3)),), NUMBERS),
            ("iij->ji", (A((3, 3, 2)),), FLOATS),
            ("iji,jk->ki", (A((3, 4, 3)), M45), FLOATS),
            ("...ij,...jk->...ik", (B34, M45), FLOATS),
            ("...ij,jk", (B34, M45), FLOATS),
            ("i...->...i", (B34,), FLOATS),
            ("...->...", (B34,), FLOATS),
            ("b...,b...->...", (B34, B34), FLOATS),
            ("...,...->...", (A((2, 1, 4)), A((3, 1))), FLOATS),
            ("bhqd,bhkd->bhqk", (A((2, 2, 3, 4)), A((2, 2, 5, 4))), FLOATS),
            ("ij,jk,kl->il", (M34, M45, A((5, 2))), FLOATS),
            ("i,ij,j", (V3, M34, V4), FLOATS),
            ("ijk,jil->kl", (B34, A((3, 2, 5))), FLOATS),
            ("bn,anm,bm->ba", (A((2, 3)), A((5, 3, 4)), A((2, 4))), FLOATS),
        )
    ],
    Row(
        "einsum",
        (M34, [0, 1], M45, [1, 2], [2, 0]),
        label="lists",
        bad=_bad("does not broadcast with previously seen size 4", "ij,jk", M34, M34),
    ),
    Row("einsum", (B34, [..., 5], A((4, 2)), [5, 7], [7, ...]), label="list-dots"),
]
