"""`minigrad.nn.functional`: PyTorch's functions of neural networks, bound to the operations.

Names whose arguments agree with the operation's *are* the operation. The functions defined here are
those that have other arguments than the operation of the name, or none of that name.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import ops
from ..autograd.variable import wrap
from ..backend import CPU, device_of, move
from ..generator import chosen
from ..kernels._quiet import quiet
from ..ops._inplace import in_place, in_place_function
from . import grad as grad
from ._attention import multi_head_attention_forward as multi_head_attention_forward
from ._linear_loss import linear_cross_entropy as linear_cross_entropy
from ._pools import *  # noqa: F403

# -- activations -----------------------------------------------------------------------------------

celu = ops.celu
elu = ops.elu
gelu = ops.gelu
glu = ops.glu
hardshrink = ops.hardshrink
hardsigmoid = ops.hardsigmoid
hardswish = ops.hardswish
hardtanh = ops.hardtanh
leaky_relu = ops.leaky_relu
logsigmoid = ops.logsigmoid
mish = ops.mish
prelu = ops.prelu
relu = ops.relu
relu6 = ops.relu6
selu = ops.selu
sigmoid = ops.sigmoid
silu = ops.silu
softplus = ops.softplus
softshrink = ops.softshrink
softsign = ops.softsign
tanh = ops.tanh
tanhshrink = ops.tanhshrink
threshold = ops.threshold
celu_ = in_place(ops.celu)
elu_ = in_place(ops.elu)
hardtanh_ = in_place(ops.hardtanh)
leaky_relu_ = in_place(ops.leaky_relu)
relu_ = in_place_function(ops.relu)
selu_ = in_place(ops.selu)
threshold_ = in_place(ops.threshold)

_less_equal = quiet(np.less_equal)  # 16-bit NaN raise flags


def rrelu(
    input: Any,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Any:
    """`input`, where it is not positive times a slope from [lower, upper): random in training."""
    noise = None
    if training and lower <= upper:
        # Only the elements that need a slope draw one, each in float64.
        array = input._array
        where = device_of(array)
        below = move(_less_equal(array, 0), CPU)
        slopes = np.ones(array.shape, array.dtype)
        draws = chosen(None, where).uniform64((int(np.count_nonzero(below)),))
        slopes[below] = draws * (upper - lower) + lower
        noise = wrap(move(slopes, where))
    return ops.rrelu(input, lower, upper, training, inplace, noise=noise)


rrelu_ = in_place(rrelu)


def _implicit_dim(name: str, input: Any, stacklevel: int) -> int:
    """The dimension that PyTorch's softmax once took by default."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """`exp(input) / sum(exp(input))` along `dim`, computed in `dtype` if given."""
    if dim is None:
        dim = _implicit_dim("softmax", input, _stacklevel)
    return ops.softmax(input, dim, dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """`log(softmax(input, dim))`, without overflow; computed in `dtype` if given."""
    if dim is None:
        dim = _implicit_dim("log_softmax", input, _stacklevel)
    return ops.log_softmax(input, dim, dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """`softmax(-input, dim)`, computed in `dtype` if given."""
    if dim is None:
        dim = _implicit_dim("softmin", input, _stacklevel)
    return ops.softmin(input, dim, dtype)


def gumbel_softmax(
    logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Any:
    """A sample of the Gumbel-softmax distribution of `logits` at temperature `tau`.

    `hard`: one-hot, with the gradient of the soft sample. (Jang, Gu, Poole 2017.)
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = ops.neg(ops.log(ops.mul(logits.detach(), 0).contiguous().exponential_()))
    soft = ops.softmax(ops.div(ops.add(logits, noise), tau), dim)
    if not hard:
        return soft
    sample = soft.detach()
    index = ops.argmax(sample, dim, True)
    chosen = ops.scatter(ops.mul(sample, 0), dim, index, 1.0)
    return ops.add(ops.sub(chosen, sample), soft)


# -- linear maps, convolutions, pools --------------------------------------------------------------

linear = ops.linear
bilinear = ops.bilinear
conv1d = ops.conv1d
conv2d = ops.conv2d
conv3d = ops.conv3d
conv_tbc = ops.conv_tbc
conv_transpose1d = ops.conv_transpose1d
conv_transpose2d = ops.conv_transpose2d
conv_transpose3d = ops.conv_transpose3d
avg_pool1d = ops.avg_pool1d
avg_pool2d = ops.avg_pool2d
avg_pool3d = ops.avg_pool3d
max_pool1d = ops.max_pool1d
max_pool2d = ops.max_pool2d
max_pool3d = ops.max_pool3d
max_unpool1d = ops.max_unpool1d
max_unpool2d = ops.max_unpool2d
max_unpool3d = ops.max_unpool3d
adaptive_avg_pool1d = ops.adaptive_avg_pool1d
adaptive_avg_pool2d = ops.adaptive_avg_pool2d
adaptive_avg_pool3d = ops.adaptive_avg_pool3d
adaptive_max_pool1d = ops.adaptive_max_pool1d
adaptive_max_pool2d = ops.adaptive_max_pool2d
adaptive_max_pool3d = ops.adaptive_max_pool3d


# -- normalisation ---------------------------------------------------------------------------------

batch_norm = ops.batch_norm
group_norm = ops.group_norm
instance_norm = ops.instance_norm
layer_norm = ops.layer_norm
local_response_norm = ops.local_response_norm
normalize = ops.normalize
rms_norm = ops.rms_norm

# -- embeddings, attention, distances --------------------------------------------------------------

embedding = ops.embedding
embedding_bag = ops.embedding_bag
one_hot = ops.one_hot
scaled_dot_product_attention = ops.scaled_dot_product_attention
cosine_similarity = ops.cosine_similarity
pairwise_distance = ops.pairwise_distance
pdist = ops.pdist

# -- padding and pixels ----------------------------------------------------------------------------

pad = ops.pad
channel_shuffle = ops.channel_shuffle
native_channel_shuffle = ops.channel_shuffle
pixel_shuffle = ops.pixel_shuffle
pixel_unshuffle = ops.pixel_unshuffle
interpolate = ops.interpolate
upsample = ops.upsample
upsample_bilinear = ops.upsample_bilinear
upsample_nearest = ops.upsample_nearest
affine_grid = ops.affine_grid
grid_sample = ops.grid_sample
unfold = ops.im2col
fold = ops.col2im


# -- losses ----------------------------------------------------------------------------------------

binary_cross_entropy = ops.binary_cross_entropy
binary_cross_entropy_with_logits = ops.binary_cross_entropy_with_logits
cosine_embedding_loss = ops.cosine_embedding_loss
cross_entropy = ops.cross_entropy
ctc_loss = ops.ctc_loss
gaussian_nll_loss = ops.gaussian_nll_loss
hinge_embedding_loss = ops.hinge_embedding_loss
huber_loss = ops.huber_loss
kl_div = ops.kl_div
l1_loss = ops.l1_loss
margin_ranking_loss = ops.margin_ranking_loss
mse_loss = ops.mse_loss
multi_margin_loss = ops.multi_margin_loss
multilabel_margin_loss = ops.multilabel_margin_loss
multilabel_soft_margin_loss = ops.multilabel_soft_margin_loss
nll_loss = ops.nll_loss
poisson_nll_loss = ops.poisson_nll_loss
smooth_l1_loss = ops.smooth_l1_loss
soft_margin_loss = ops.soft_margin_loss
triplet_margin_loss = ops.triplet_margin_loss
triplet_margin_with_distance_loss = ops.triplet_margin_with_distance_loss

# -- dropout ---------------------------------------------------------------------------------------

dropout = ops.dropout
alpha_dropout = ops.alpha_dropout
feature_alpha_dropout = ops.feature_alpha_dropout


def _batched_dropout(input: Any, p: float, training: bool, inplace: bool, batched: bool) -> Any:
    """Channel-wise dropout of (N, C, ...), or of one sample (C, ...)."""
    if batched:
        return ops.feature_dropout(input, p, training, inplace)
    sample = ops.feature_dropout(ops.unsqueeze(input, 0), p, training, inplace)
    return input if inplace else ops.squeeze(sample, 0)


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Sets whole channels of (N, C, L) or (C, L) to 0 with probability `p`; others over 1 - p.

    ValueError for p outside [0, 1]; RuntimeError for other numbers of dimensions.
    """
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _batched_dropout(input, p, training, inplace, input.ndim == 3)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Sets whole channels of (N, C, H, W) to 0 with probability `p`; others over 1 - p.

    As in PyTorch, a 3-d input is taken for (N, C, L), with a warning. ValueError for p outside
    [0, 1].
    """
    _check_probability(p)
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return ops.feature_dropout(input, p, training, inplace)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Sets whole channels of (N, C, D, H, W) or (C, D, H, W) to 0 with probability `p`.

    The others are divided by 1 - p. ValueError for p outside [0, 1].
    """
    _check_probability(p)
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    return _batched_dropout(input, p, training, inplace, input.ndim == 5)
