"""Knowledge distillation: a small network learns what a trained one says, not only the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .. import nn
from ..autograd.modes import no_grad
from ..nn import functional as F
from ._run import arguments, evaluating, tensors_in

__all__ = [
    "DistillationLoss", "DistillationOutput", "Distiller", "attention_map",
    "attention_transfer_loss", "feature_loss", "soft_target_loss",
]  # fmt: skip


def soft_target_loss(
    student: Any, teacher: Any, temperature: float = 4.0, reduction: str = "batchmean"
) -> Any:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) of logits (N, classes, ...).

    The factor keeps the gradient's size as T changes (Hinton, Vinyals, Dean 2015). `reduction`:
    "batchmean" (divided by N), "sum", "mean", "none". ValueError for T <= 0 or unequal shapes.
    """
    if temperature <= 0:
        raise ValueError(f"soft_target_loss: temperature={temperature}; more than 0 is needed")
    if student.shape != teacher.shape:
        raise ValueError(
            f"soft_target_loss: logits of {tuple(student.shape)} and {tuple(teacher.shape)} were "
            "given; equal shapes are needed"
        )
    said = F.log_softmax(student / temperature, 1)
    wanted = F.log_softmax(teacher / temperature, 1)
    loss = F.kl_div(said, wanted, reduction=reduction, log_target=True)
    return loss * temperature**2


def feature_loss(student: Any, teacher: Any, normalize: bool = False) -> Any:
    """The mean squared difference of two features of one shape (FitNets, Romero et al. 2015).

    `normalize`: each sample's feature is divided by its norm first. ValueError for unequal shapes.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"feature_loss: {tuple(student.shape)} and {tuple(teacher.shape)} were given; equal "
            "shapes are needed"
        )
    if normalize:
        student = F.normalize(student.flatten(1), dim=1)
        teacher = F.normalize(teacher.flatten(1), dim=1)
    return F.mse_loss(student, teacher)


def attention_map(feature: Any, p: float = 2.0) -> Any:
    """Where a feature (N, C, ...) is active: the mean of |values|^p over C, as unit vectors (N, L).

    Zagoruyko, Komodakis 2017.
    """
    return F.normalize(feature.abs().pow(p).mean(1).flatten(1), dim=1)


def attention_transfer_loss(student: Any, teacher: Any, p: float = 2.0) -> Any:
    """The mean squared difference of attention maps; the numbers of channels may differ.

    A larger map of images is averaged to the size of the other. ValueError for maps of other
    kinds of unequal shape.
    """
    a, b = student.shape[2:], teacher.shape[2:]
    if a != b:
        if len(a) != 2 or len(b) != 2:
            raise ValueError(f"attention_transfer_loss: maps of {tuple(a)} and {tuple(b)}")
        size = tuple(min(x, y) for x, y in zip(a, b))
        student = F.adaptive_avg_pool2d(student.abs().pow(p).mean(1, keepdim=True), size)
        teacher = F.adaptive_avg_pool2d(teacher.abs().pow(p).mean(1, keepdim=True), size)
        p = 1.0
    return F.mse_loss(attention_map(student, p), attention_map(teacher, p))


class DistillationLoss(nn.Module):
    """alpha * soft_target_loss + (1 - alpha) * hard_loss(student's logits, labels).

    Without labels the soft part alone, whatever alpha is. `hard_loss`: a function of (logits,
    labels), by default cross entropy. ValueError unless 0 <= alpha <= 1.
    """

    def __init__(
        self, temperature: float = 4.0, alpha: float = 0.9, hard_loss: Callable | None = None
    ) -> None:
        super().__init__()
        if temperature <= 0 or not 0 <= alpha <= 1:
            raise ValueError(
                f"DistillationLoss: temperature={temperature}, alpha={alpha} were given; "
                "temperature > 0 and 0 <= alpha <= 1 are needed"
            )
        self.temperature, self.alpha = temperature, alpha
        self.hard_loss = F.cross_entropy if hard_loss is None else hard_loss

    def forward(self, student: Any, teacher: Any, target: Any = None) -> Any:
        soft = soft_target_loss(student, teacher, self.temperature)
        if target is None:
            return soft
        return self.alpha * soft + (1 - self.alpha) * self.hard_loss(student, target)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature}, alpha={self.alpha}"


class DistillationOutput(NamedTuple):
    """The loss, the student's output, and the parts of the loss as numbers without gradient."""

    loss: Any
    output: Any
    parts: dict[str, Any]


class Distiller(nn.Module):
    """A student and its teacher, for a plain loop: `loss, output, parts = distiller(x, labels)`.

    `features` and `attention`: names of the student's layers, and of the teacher's layer that each
    is to resemble, weighted by `feature_weight` and `attention_weight`. Where features have other
    numbers of channels, a learned 1 x 1 convolution (or linear layer) stands between; for it
    `example_inputs` is needed. `logits`: takes the logits from what the models return.
    `parameters()` and `state_dict()` are the student's and those layers'; the teacher is not
    trained, stays in evaluation and is not moved by `to`. ValueError for unknown layers.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any,
        *,
        temperature: float = 4.0,
        alpha: float = 0.9,
        hard_loss: Callable | None = None,
        features: dict[str, str] | None = None,
        attention: dict[str, str] | None = None,
        feature_weight: float = 1.0,
        attention_weight: float = 1.0,
        example_inputs: Any = None,
        logits: Callable | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self._teacher = [teacher]  # in a list: no submodule, so neither trained nor saved
        self.criterion = DistillationLoss(temperature, alpha, hard_loss)
        self.features, self.attention = dict(features or {}), dict(attention or {})
        self.feature_weight, self.attention_weight = feature_weight, attention_weight
        self.logits = logits
        for model, names, whose in (
            (student, [*self.features, *self.attention], "student"),
            (teacher, [*self.features.values(), *self.attention.values()], "teacher"),
        ):
            known = dict(model.named_modules())
            for name in names:
                if name not in known:
                    raise ValueError(f"Distiller: the {whose} has no layer {name!r}")
        self.regressors = nn.ModuleDict()
        if self.features:
            if example_inputs is None:
                raise ValueError("Distiller: features need example_inputs, to compare their sizes")
            self._add_regressors(example_inputs)

    @property
    def teacher(self) -> Any:
        return self._teacher[0]

    def _add_regressors(self, example_inputs: Any) -> None:
        args = arguments(example_inputs)
        with evaluating(self.student), evaluating(self.teacher):
            _, ours = _run(self.student, self.features, args)
            _, theirs = _run(self.teacher, self.features.values(), args)
        for name, other in self.features.items():
            a, b = ours[name], theirs[other]
            dim = 1 if a.ndim == 4 else -1
            rest = [tuple(n for d, n in enumerate(t.shape) if d != dim % t.ndim) for t in (a, b)]
            if a.ndim != b.ndim or rest[0] != rest[1]:
                raise ValueError(
                    f"Distiller: {name} gives {tuple(a.shape)} and {other} {tuple(b.shape)}; only "
                    "the number of channels may differ"
                )
            i, o = a.shape[dim], b.shape[dim]
            if i != o:
                layer: Any = nn.Conv2d(i, o, 1) if a.ndim == 4 else nn.Linear(i, o)
                layer.to(device=a.device, dtype=a.dtype)
                self.regressors[name.replace(".", "/")] = layer

    def forward(self, inputs: Any, target: Any = None) -> DistillationOutput:
        """Both models on one batch (a tensor or a tuple of arguments)."""
        args = arguments(inputs)
        with evaluating(self.teacher), no_grad():
            wanted, theirs = _run(
                self.teacher, [*self.features.values(), *self.attention.values()], args
            )
        output, ours = _run(self.student, [*self.features, *self.attention], args)
        take = self.logits or (lambda out: out)
        said, told = take(output), take(wanted)
        losses = {"soft": soft_target_loss(said, told, self.criterion.temperature)}
        loss = losses["soft"]
        if target is not None:
            losses["hard"] = self.criterion.hard_loss(said, target)
            alpha = self.criterion.alpha
            loss = alpha * loss + (1 - alpha) * losses["hard"]
        for name, other in self.features.items():
            key = name.replace(".", "/")
            mine = self.regressors[key](ours[name]) if key in self.regressors else ours[name]
            losses[f"feature {name}"] = part = feature_loss(mine, theirs[other])
            loss = loss + self.feature_weight * part
        for name, other in self.attention.items():
            part = attention_transfer_loss(ours[name], theirs[other])
            losses[f"attention {name}"] = part
            loss = loss + self.attention_weight * part
        return DistillationOutput(loss, output, {k: v.detach() for k, v in losses.items()})


def _run(model: Any, names: Any, args: tuple) -> tuple[Any, dict[str, Any]]:
    """A model's output, and what the named layers returned (the first tensor of each)."""
    found: dict[str, Any] = {}
    known = dict(model.named_modules())
    hooks = [
        known[name].register_forward_hook(
            lambda m, i, out, name=name: found.__setitem__(name, next(tensors_in(out)))
        )
        for name in dict.fromkeys(names)
    ]
    try:
        return model(*args), found
    finally:
        for hook in hooks:
            hook.remove()
