"""`Tensor`: a `Variable` with PyTorch's methods. A method *is* an op function: no wrapper frames.

Sections follow the op families; a method that is not an op (conversion, memory, identity) stands in
`Tensor`'s own part at the top.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import creation, dtypes, fills, ops, random
from .autograd import api
from .autograd import variable as _v
from .autograd.record import alias
from .autograd.variable import Variable
from .backend import device, device_of
from .ops import movement
from .ops._inplace import in_place
from .ops.linalg import operator_matmul, operator_rmatmul
from .size import Size


class Tensor(Variable):
    """A multi-dimensional array of one dtype, with automatic differentiation."""

    __slots__ = ("__dict__",)
    # NumPy leaves binary operators to us instead of looping over our elements.
    __array_priority__ = 1000

    def __new__(cls, *args: Any, device: Any = None) -> Any:
        """Old constructor: `Tensor(2, 3)` is not initialised, `Tensor([2, 3])` holds values."""
        return creation.construct(args, device, dtypes.default_numpy(), strict=False)

    @staticmethod
    def _from_array(array: np.ndarray) -> Tensor:
        """A tensor over an array as it is (not copied, not checked)."""
        return _v.wrap(array)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.from_numpy(self._array.dtype)

    @property
    def device(self) -> device:
        return device_of(self._array)

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph. Assigning replaces the values' memory."""
        return _v.wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Variable):
            raise TypeError(f"data: expected a Tensor, got {value.__class__.__name__}")
        self._array = value._array

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient, or None."""
        return self._grad  # type: ignore[return-value]

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type "
                    f"{value.__class__.__name__}"
                )
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: given {list(value.shape)}, "
                    f"needed {list(self.shape)}"
                )
            if value._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"assigned grad has data of a different type: given {value.dtype}, "
                    f"needed {self.dtype}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    # -- gradients -------------------------------------------------------------------------------

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Adds to `.grad` of the leaves the gradient of self, weighted by `gradient`."""
        api.backward(self, gradient, retain_graph, create_graph, inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` and returns self."""
        _v.set_requires_grad(self, requires_grad)
        return self

    detach = alias
    retain_grad = _v.retain_grad
    retains_grad = property(_v.retains_grad)
    register_hook = _v.register_hook
    register_post_accumulate_grad_hook = _v.register_post_accumulate_grad_hook

    # -- new tensors of the same type ------------------------------------------------------------

    new_tensor = creation.new_tensor
    new_empty = creation.new_empty
    new_zeros = creation.new_zeros
    new_ones = creation.new_ones
    new_full = creation.new_full
    new_empty_strided = creation.new_empty_strided
    new = creation.new

    # -- random numbers, in place ----------------------------------------------------------------

    uniform_ = fills.uniform_
    normal_ = fills.normal_
    bernoulli_ = fills.bernoulli_
    random_ = fills.random_
    exponential_ = fills.exponential_
    log_normal_ = fills.log_normal_
    geometric_ = fills.geometric_
    cauchy_ = fills.cauchy_
    bernoulli = random.bernoulli
    multinomial = random.multinomial

    # -- conversion ------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The NumPy array that holds the data (not copied)."""
        if self._fn is not None and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        return self._array

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(len(self))])  # type: ignore[index]

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"tensor({self._array})"

    # -- ops: arith ------------------------------------------------------------------------------

    add = __add__ = __radd__ = ops.add
    sub = subtract = __sub__ = ops.sub
    mul = multiply = __mul__ = __rmul__ = ops.mul
    div = divide = true_divide = __truediv__ = ops.div
    neg = negative = __neg__ = ops.neg
    add_ = __iadd__ = in_place(ops.add)
    mul_ = multiply_ = __imul__ = in_place(ops.mul)

    # -- ops: unary ------------------------------------------------------------------------------

    exp = ops.exp
    exp_ = in_place(ops.exp)

    # -- ops: reduce -----------------------------------------------------------------------------

    sum = ops.sum
    nansum = ops.nansum
    mean = ops.mean
    nanmean = ops.nanmean
    prod = ops.prod
    logsumexp = ops.logsumexp
    all = ops.all
    any = ops.any
    count_nonzero = ops.count_nonzero
    trace = ops.trace

    # -- ops: maxima -----------------------------------------------------------------------------

    max = ops.max
    min = ops.min
    amax = ops.amax
    amin = ops.amin
    aminmax = ops.aminmax
    argmax = ops.argmax
    argmin = ops.argmin

    # -- ops: stats ------------------------------------------------------------------------------

    var = ops.var
    std = ops.std

    # -- ops: scan -------------------------------------------------------------------------------

    cumsum = ops.cumsum
    cumprod = ops.cumprod
    cummax = ops.cummax
    cummin = ops.cummin
    cumsum_ = in_place(ops.cumsum)
    cumprod_ = in_place(ops.cumprod)
    diff = ops.diff

    # -- ops: sorting ----------------------------------------------------------------------------

    sort = ops.sort
    argsort = ops.argsort
    msort = ops.msort
    topk = ops.topk
    kthvalue = ops.kthvalue
    median = ops.median
    nanmedian = ops.nanmedian
    mode = ops.mode

    # -- ops: quantiles --------------------------------------------------------------------------

    quantile = ops.quantile
    nanquantile = ops.nanquantile

    # -- ops: sets -------------------------------------------------------------------------------

    unique = ops.unique
    unique_consecutive = ops.unique_consecutive
    histc = ops.histc
    bincount = ops.bincount

    # -- ops: linalg -----------------------------------------------------------------------------

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
    addmm_ = in_place(ops.addmm)
    addmv_ = in_place(ops.addmv)
    addbmm_ = in_place(ops.addbmm)
    baddbmm_ = in_place(ops.baddbmm)
    addr_ = in_place(ops.addr)

    # -- ops: movement ---------------------------------------------------------------------------

    T = property(movement.reversed_dims)
    mT = mH = property(movement.matrix_transpose)
    H = property(movement.hermitian)
    reshape = ops.reshape
    reshape_as = ops.reshape_as
    view = ops.view
    view_as = ops.view_as
    flatten = ops.flatten
    unflatten = ops.unflatten
    ravel = ops.ravel
    t = ops.t
    transpose = swapaxes = swapdims = ops.transpose
    permute = ops.permute
    movedim = moveaxis = ops.movedim
    squeeze = ops.squeeze
    unsqueeze = ops.unsqueeze
    expand = ops.expand
    expand_as = ops.expand_as
    broadcast_to = ops.broadcast_to

    # -- ops: slices -----------------------------------------------------------------------------

    narrow = ops.narrow
    select = ops.select
    diagonal = ops.diagonal
    unfold = ops.unfold
    as_strided = ops.as_strided
    split = ops.split
    split_with_sizes = ops.split_with_sizes
    chunk = ops.chunk
    tensor_split = ops.tensor_split
    hsplit = ops.hsplit
    vsplit = ops.vsplit
    dsplit = ops.dsplit
    unbind = ops.unbind

    # -- ops: rearrange --------------------------------------------------------------------------

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
    select_scatter = ops.select_scatter
    slice_scatter = ops.slice_scatter


_v.set_tensor_class(Tensor)
