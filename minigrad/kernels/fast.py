"""Compiled bookkeeping of the hot path: recording an elementwise operation in one call.

`fast_binary(cls, spec, input, other)` and `fast_unary(cls, spec, input)` do for float arrays what
`minigrad.ops._elementwise` says in Python, and return None for everything else.
`accumulate(variable, grad, owned)` and `add_into(out, array)` add gradients for the backward loop;
they return False, having done nothing, where they do not apply; so does `fast_in_place(op, target,
other)`, which writes `op(target, other)` to a tensor outside the graph.
"""

from __future__ import annotations

from typing import Any

from . import _C

fast_binary = _C.fast_binary
fast_unary = _C.fast_unary
fast_compare = _C.fast_compare
elementwise_unary = _C.elementwise_unary
elementwise_binary = _C.elementwise_binary
bind_elementwise = _C.bind_elementwise
bind_operators = _C.bind_operators
inherit_operators = _C.inherit_operators
fast_in_place = _C.fast_in_place
fast_unary_in_place = _C.fast_unary_in_place
fast_ternary = _C.fast_ternary
fast_ternary_in_place = _C.fast_ternary_in_place
fast_lerp = _C.fast_lerp
fast_equal = _C.fast_equal
fast_count = _C.fast_count
fast_nonzero = _C.fast_nonzero
fast_to = _C.fast_to
fast_copy = _C.fast_copy
fast_fill = _C.fast_fill
fast_flip = _C.fast_flip
fast_roll = _C.fast_roll
fast_repeat = _C.fast_repeat
fast_repeat_each = _C.fast_repeat_each
fast_pad = _C.fast_pad
fast_size = _C.fast_size
fast_stride = _C.fast_stride
fast_numel = _C.fast_numel
fast_is_contiguous = _C.fast_is_contiguous
fast_item = _C.fast_item
fast_tolist = _C.fast_tolist
fast_data_ptr = _C.fast_data_ptr
fast_is_floating_point = _C.fast_is_floating_point
fast_full = _C.fast_full
fast_full_like = _C.fast_full_like
fast_eye = _C.fast_eye
fast_arange = _C.fast_arange
fast_linspace = _C.fast_linspace
fast_triangle = _C.fast_triangle
fast_from_numpy = _C.fast_from_numpy
fast_tensor = _C.fast_tensor
fast_draw = _C.fast_draw
fast_draw_like = _C.fast_draw_like
fast_randint = _C.fast_randint
fast_randperm = _C.fast_randperm
fast_bernoulli = _C.fast_bernoulli
fast_uniform = _C.fast_uniform
fast_normal = _C.fast_normal
bind_generator = _C.bind_generator
bind_types = _C.bind_types
getter = _C.getter
fast_assign = _C.fast_assign
fast_matmul = _C.fast_matmul
fast_addmm = _C.fast_addmm
fast_linear = _C.fast_linear
fast_conv = _C.fast_conv
convolve = _C.convolve
fast_cross_entropy = _C.fast_cross_entropy
fast_pair_loss = _C.fast_pair_loss
fast_layer_norm = _C.fast_layer_norm
fast_rms_norm = _C.fast_rms_norm
fast_group_norm = _C.fast_group_norm
fast_batch_norm = _C.fast_batch_norm
fast_expand = _C.fast_expand
fast_flatten = _C.fast_flatten
fast_index = _C.fast_index
fast_narrow = _C.fast_narrow
fast_permute = _C.fast_permute
fast_select = _C.fast_select
fast_split = _C.fast_split
diagonal = _C.diagonal
fast_diagonal = _C.fast_diagonal
fast_squeeze = _C.fast_squeeze
fast_t = _C.fast_t
fast_transpose = _C.fast_transpose
fast_unbind = _C.fast_unbind
fast_unsqueeze = _C.fast_unsqueeze
fast_view = _C.fast_view
wrap = _C.wrap
apply = _C.apply
apply_view = _C.apply_view
bind_fallbacks = _C.bind_fallbacks
bind_engine = _C.bind_engine
run_backward = _C.run_backward
next_seq = _C.next_seq
accumulate = _C.accumulate
add_into = _C.add_into
sum_arrays = _C.sum_arrays
bind_add = _C.bind_add
bind_classes = _C.bind_classes
set_recording = _C.set_recording
set_inference = _C.set_inference
inference_cell = _C.inference_cell
set_anomaly = _C.set_anomaly
overrides = _C.overrides
bind_overrides = _C.bind_overrides

# In the order of BinaryOp, UnaryOp, TernaryOp and CompareOp in csrc/kernels/elementwise.h.
BINARY = (
    "add", "sub", "mul", "div", "maximum", "minimum", "pow", "relu_backward", "tanh_backward",
    "sigmoid_backward", "sqrt_backward", "gelu_backward", "gelu_tanh_backward", "silu_backward",
    "abs_backward", "leaky_relu_backward", "elu_backward", "softplus_backward", "clamp_backward",
    "hardtanh_backward", "logsigmoid_backward", "mish_backward", "hardswish_backward",
    "hardsigmoid_backward", "add_scaled", "fmod", "remainder", "div_floor", "hypot", "logaddexp",
    "prelu", "lerp_number", "copysign", "outside_backward",
)  # fmt: skip
UNARY = (
    "copy", "neg", "relu", "exp", "log", "sqrt", "tanh", "sigmoid", "reciprocal", "abs", "square",
    "rsqrt", "sign", "floor", "ceil", "round", "trunc", "erf", "sin", "cos", "exp2", "expm1",
    "log1p", "log2", "log10", "gelu", "gelu_tanh", "silu", "logsigmoid", "mish", "hardswish",
    "hardsigmoid", "leaky_relu", "elu", "softplus", "clamp", "cube", "threshold", "erfc",
    "erfinv", "lgamma", "digamma", "ndtri", "frac", "nan_to_num",
    "softshrink", "hardshrink",
)  # fmt: skip
TERNARY = ("addcmul", "addcdiv", "lerp")
COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")
_SAVES_INPUTS, _CROSS, _SAVES_OUTPUT, _TENSORS_ONLY = 0x100, 0x200, 0x400, 0x800


def spec(
    kernel: str,
    operands: int,
    saves: tuple,
    saves_output: tuple,
    cross: bool,
    tensors_only: bool = False,
) -> Any:
    """The number that tells the compiled code what to run and save; None if it cannot."""
    names = BINARY if operands == 2 else UNARY
    if kernel not in names:
        return None
    return (
        names.index(kernel)
        | (_SAVES_INPUTS if saves else 0)
        | (_CROSS if cross else 0)
        | (_SAVES_OUTPUT if saves_output else 0)
        | (_TENSORS_ONLY if tensors_only else 0)
    )
