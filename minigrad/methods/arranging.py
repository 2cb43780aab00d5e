"""`Tensor` methods of linear algebra, of shapes and of indices: each *is* an op function."""

from __future__ import annotations

from .. import ops
from ..ops import assign, permutation, subscript
from ..ops._inplace import in_place, in_place_view
from ..ops.linalg import operator_matmul, operator_rmatmul


class Arranging:
    """Linear algebra, views, copies in another order, indexing, scattering."""

    __slots__ = ()

    # -- linalg ------------------------------------------------------------------------------------

    matmul = ops.matmul
    __matmul__ = operator_matmul
    __rmatmul__ = operator_rmatmul
    mm = ops.mm
    bmm = ops.bmm
    mv = ops.mv
    dot = ops.dot
    vdot = ops.vdot
    inner = ops.inner
    outer = ger = ops.outer
    addmm = ops.addmm
    addmv = ops.addmv
    addbmm = ops.addbmm
    baddbmm = ops.baddbmm
    addr = ops.addr
    trace = ops.trace
    kron = ops.kron
    cross = ops.cross
    matrix_power = ops.matrix_power
    addmm_ = in_place(ops.addmm)
    addmv_ = in_place(ops.addmv)
    addbmm_ = in_place(ops.addbmm)
    baddbmm_ = in_place(ops.baddbmm)
    addr_ = in_place(ops.addr)

    # -- movement ----------------------------------------------------------------------------------

    T = property(permutation.reversed_dims)
    mT = mH = property(permutation.matrix_transpose)
    adjoint = ops.adjoint
    H = property(permutation.hermitian)
    reshape = ops.reshape
    reshape_as = ops.reshape_as
    view = ops.view
    view_as = ops.view_as
    flatten = ops.flatten
    unflatten = ops.unflatten
    ravel = ops.ravel
    t = ops.t
    transpose = swapdims = ops.transpose
    swapaxes = ops.swapaxes
    permute = ops.permute
    movedim = moveaxis = ops.movedim
    squeeze = ops.squeeze
    unsqueeze = ops.unsqueeze
    expand = ops.expand
    expand_as = ops.expand_as
    broadcast_to = ops.broadcast_to
    t_ = in_place_view(ops.t, "t_")
    transpose_ = in_place_view(ops.transpose, "transpose_")
    swapaxes_ = in_place_view(ops.swapaxes, "swapaxes_")
    swapdims_ = in_place_view(ops.swapdims, "swapdims_")
    squeeze_ = in_place_view(ops.squeeze, "squeeze_")
    unsqueeze_ = in_place_view(ops.unsqueeze, "unsqueeze_")

    # -- slices ------------------------------------------------------------------------------------

    narrow = ops.narrow
    select = ops.select
    diagonal = ops.diagonal
    unfold = ops.unfold
    as_strided = ops.as_strided
    narrow_copy = ops.narrow_copy
    unsafe_chunk = ops.unsafe_chunk
    unsafe_split = ops.unsafe_split
    unsafe_split_with_sizes = ops.unsafe_split_with_sizes
    as_strided_ = in_place_view(ops.as_strided, "as_strided_")
    split = ops.split
    split_with_sizes = ops.split_with_sizes
    chunk = ops.chunk
    tensor_split = ops.tensor_split
    hsplit = ops.hsplit
    vsplit = ops.vsplit
    dsplit = ops.dsplit
    unbind = ops.unbind

    # -- rearrange ---------------------------------------------------------------------------------

    clone = ops.clone
    contiguous = ops.contiguous
    flip = ops.flip
    fliplr = ops.fliplr
    flipud = ops.flipud
    rot90 = ops.rot90
    roll = ops.roll
    repeat = ops.repeat
    tile = ops.tile
    tril = ops.tril
    triu = ops.triu
    tril_ = in_place(ops.tril)
    triu_ = in_place(ops.triu)
    diag = ops.diag
    diag_embed = ops.diag_embed
    diagflat = ops.diagflat
    select_scatter = ops.select_scatter
    slice_scatter = ops.slice_scatter
    diagonal_scatter = ops.diagonal_scatter
    as_strided_scatter = ops.as_strided_scatter

    # -- index, scatter, masked --------------------------------------------------------------------

    __getitem__ = subscript.getitem
    __setitem__ = subscript.setitem
    copy_ = assign.copy_
    fill_ = assign.fill_
    fill_diagonal_ = assign.fill_diagonal_
    zero_ = assign.zero_
    index_put = ops.index_put
    index_put_ = subscript.index_put_
    gather = ops.gather
    scatter = ops.scatter
    scatter_ = in_place(ops.scatter)
    scatter_add = ops.scatter_add
    scatter_add_ = in_place(ops.scatter_add)
    scatter_reduce = ops.scatter_reduce
    scatter_reduce_ = in_place(ops.scatter_reduce)
    index_select = ops.index_select
    index_add = ops.index_add
    index_add_ = in_place(ops.index_add)
    index_copy = ops.index_copy
    index_copy_ = in_place(ops.index_copy)
    index_reduce = ops.index_reduce
    index_reduce_ = in_place(ops.index_reduce)
    index_fill = ops.index_fill
    index_fill_ = in_place(ops.index_fill)
    take = ops.take
    put = ops.put
    put_ = in_place(ops.put)
    take_along_dim = ops.take_along_dim
    repeat_interleave = ops.repeat_interleave
    masked_fill = ops.masked_fill
    masked_fill_ = in_place(ops.masked_fill)
    masked_select = ops.masked_select
    masked_scatter = ops.masked_scatter
    masked_scatter_ = in_place(ops.masked_scatter)
    nonzero = ops.nonzero
    nonzero_static = ops.nonzero_static
    argwhere = ops.argwhere
