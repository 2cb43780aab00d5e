"""All transforms under one name, as in PyTorch."""

from ._elementwise_transforms import AbsTransform as AbsTransform
from ._elementwise_transforms import AffineTransform as AffineTransform
from ._elementwise_transforms import (
    CumulativeDistributionTransform as CumulativeDistributionTransform,
)
from ._elementwise_transforms import ExpTransform as ExpTransform
from ._elementwise_transforms import PowerTransform as PowerTransform
from ._elementwise_transforms import SigmoidTransform as SigmoidTransform
from ._elementwise_transforms import SoftplusTransform as SoftplusTransform
from ._elementwise_transforms import TanhTransform as TanhTransform
from ._structured_transforms import CatTransform as CatTransform
from ._structured_transforms import CorrCholeskyTransform as CorrCholeskyTransform
from ._structured_transforms import LowerCholeskyTransform as LowerCholeskyTransform
from ._structured_transforms import PositiveDefiniteTransform as PositiveDefiniteTransform
from ._structured_transforms import ReshapeTransform as ReshapeTransform
from ._structured_transforms import SoftmaxTransform as SoftmaxTransform
from ._structured_transforms import StackTransform as StackTransform
from ._structured_transforms import StickBreakingTransform as StickBreakingTransform
from ._transform import ComposeTransform as ComposeTransform
from ._transform import IndependentTransform as IndependentTransform
from ._transform import Transform as Transform
from ._transform import identity_transform as identity_transform

__all__ = [
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform",
    "CorrCholeskyTransform", "CumulativeDistributionTransform", "ExpTransform",
    "IndependentTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform",
    "PowerTransform", "ReshapeTransform", "SigmoidTransform", "SoftmaxTransform",
    "SoftplusTransform", "StackTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip
