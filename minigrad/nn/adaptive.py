"""The adaptive softmax: classes in clusters by how frequent they are. (Grave et al. 2017.)"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..autograd import variable as _v
from . import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Any
    loss: Any


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes ordered from frequent to rare: (output, loss).

    The head scores the classes below `cutoffs[0]` and one entry for each cluster of the others; the
    projections of cluster i are `div_value ** (i + 1)` times narrower than the input. Inputs
    (N, in_features) with targets (N,), or (in_features,) with (): `output` holds the
    log-probability of each target, `loss` its negative mean.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = list(cutoffs)
        if not ends:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        whole = all(int(c) == c for c in ends)
        if ends != sorted(set(ends)) or ends[0] <= 0 or ends[-1] > n_classes - 1 or not whole:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                "order, where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*ends, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (start, end) in enumerate(itertools.pairwise(self.cutoffs)):
            hidden = int(in_features // (div_value ** (i + 1)))
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **options),
                    Linear(hidden, end - start, bias=False, **options),
                )
            )

    def reset_parameters(self) -> None:
        """Draws all weights anew."""
        self.head.reset_parameters()
        for projection in self.tail:
            for layer in projection.children():
                layer.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> _ASMoutput:
        target = target_._array
        self._check(input_, target)
        single = target.ndim == 0
        x = input_.unsqueeze(0) if single else input_
        target = np.atleast_1d(target)
        if target.size and (target.min() < 0 or target.max() >= self.n_classes):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min()}, {target.max()}] were found. "
            )
        # The entry of the head for each target: its own, or its cluster's.
        cluster = np.searchsorted(self.cutoffs, target, side="right")
        entry = np.where(cluster == 0, target, self.shortlist_size + cluster - 1)
        scores = F.log_softmax(self.head(x), dim=1)
        output = ops.gather(scores, 1, _v.wrap(entry[:, None].astype(np.int64))).squeeze(1)
        for i, projection in enumerate(self.tail):
            rows = np.flatnonzero(cluster == i + 1)
            if not len(rows):
                continue
            local = F.log_softmax(projection(x.index_select(0, _v.wrap(rows))), dim=1)
            place = (target[rows] - self.cutoffs[i])[:, None].astype(np.int64)
            found = ops.gather(local, 1, _v.wrap(place)).squeeze(1)
            output = output.index_add(0, _v.wrap(rows), found)
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if single else output, loss)

    def _check(self, input: Any, target: Any) -> None:
        shape = input.shape
        if target.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target.ndim == 1:
            if shape[0] != target.shape[0]:
                raise RuntimeError(
                    "Input and target should have the same size in the batch dimension."
                )
            if len(shape) != 2:
                raise RuntimeError(
                    f"1D target tensor expects 2D input tensors, but found inputs with size {shape}"
                )
        elif len(shape) != 1:
            raise RuntimeError(
                f"0D target tensor expects 1D input tensors, but found inputs with size {shape}"
            )

    def log_prob(self, input: Any) -> Any:
        """The log-probabilities of all classes: (N, n_classes)."""
        scores = F.log_softmax(self.head(input), dim=1)
        parts = [scores[:, : self.shortlist_size]]
        for i, projection in enumerate(self.tail):
            own = scores[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(F.log_softmax(projection(input), dim=1) + own)
        return ops.cat(parts, 1)

    def predict(self, input: Any) -> Any:
        """The most probable class of each row: (N,)."""
        best = self.head(input).argmax(dim=1)
        rare = best >= self.shortlist_size
        if not rare.any():
            return best
        best[rare] = self.log_prob(input[rare]).argmax(dim=1)
        return best
