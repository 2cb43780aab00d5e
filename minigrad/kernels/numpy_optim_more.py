"""Further optimizer steps in plain NumPy, and norms, scaling and interpolation of many arrays.

The rules are those of `numpy_optim`: arrays are updated in place, in PyTorch's order of operations,
and 16-bit floats are computed in float32. Scalars beside the step counters (`mu_products`, `etas`,
`mus`) are arrays of one element, too.
"""

from __future__ import annotations

import numpy as np

from .numpy_optim import Arrays, _gradient, _lerp, _wide

__all__ = [
    "adadelta_step",
    "adamax_step",
    "asgd_step",
    "lamb_step",
    "lerp_tensors",
    "lion_step",
    "nadam_step",
    "norm",
    "radam_step",
    "rprop_step",
    "scale_tensors",
    "tensor_norms",
]


def _moments(
    p: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> np.ndarray:
    """Weight decay, and Adam's averages of g and g^2; returns the gradient."""
    scalar = p.dtype.type
    g = _gradient(g, p, 0.0 if decoupled else weight_decay, maximize)
    if decoupled and weight_decay != 0:
        p *= scalar(1 - lr * weight_decay)
    _lerp(m, g, 1 - beta1)
    v *= scalar(beta2)
    v += scalar(1 - beta2) * g * g
    return g


def nadam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: Arrays,
    mu_products: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """NAdam (Dozat, 2016): Adam with Nesterov's momentum, mu_t = beta1 (1 - 0.96^(t decay) / 2)."""
    for param, grad, exp_avg, exp_avg_sq, step, product in zip(
        params, grads, exp_avgs, exp_avg_sqs, steps, mu_products, strict=True
    ):
        step += 1
        t = float(step)
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        following = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product *= mu
        so_far = float(product)
        with _wide(param, exp_avg, exp_avg_sq) as (p, m, v):
            scalar = p.dtype.type
            g = _moments(p, grad, m, v, lr, beta1, beta2, weight_decay, decoupled, maximize)
            root = np.sqrt(v / scalar(1 - beta2**t)) + scalar(eps)
            p += scalar(-lr * (1 - mu) / (1 - so_far)) * g / root
            p += scalar(-lr * following / (1 - so_far * following)) * m / root


def radam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """RAdam (Liu et al., 2020): Adam whose rate is rectified while the variance is uncertain."""
    for param, grad, exp_avg, exp_avg_sq, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, steps, strict=True
    ):
        step += 1
        t = float(step)
        most = 2 / (1 - beta2) - 1
        length = most - 2 * t * beta2**t / (1 - beta2**t)
        with _wide(param, exp_avg, exp_avg_sq) as (p, m, v):
            scalar = p.dtype.type
            _moments(p, grad, m, v, lr, beta1, beta2, weight_decay, decoupled, maximize)
            change = m / scalar(1 - beta1**t) * scalar(lr)
            if length > 5:
                factor = (length - 4) * (length - 2) * most
                factor /= (most - 4) * (most - 2) * length
                change = change * (scalar((1 - beta2**t) ** 0.5) / (np.sqrt(v) + scalar(eps)))
                change = change * scalar(factor**0.5)
            p -= change


def adamax_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_infs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Adamax (Kingma and Ba, 2015): Adam with the largest decayed |g| in place of the root."""
    for param, grad, exp_avg, exp_inf, step in zip(
        params, grads, exp_avgs, exp_infs, steps, strict=True
    ):
        step += 1
        size = lr / (1 - beta1 ** float(step))
        with _wide(param, exp_avg, exp_inf) as (p, m, u):
            scalar = p.dtype.type
            g = _gradient(grad, p, weight_decay, maximize)
            _lerp(m, g, 1 - beta1)
            u *= scalar(beta2)
            np.maximum(u, np.abs(g) + scalar(eps), out=u)
            p += scalar(-size) * m / u


def adadelta_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    acc_deltas: Arrays,
    steps: Arrays,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Adadelta (Zeiler, 2012): steps in proportion to the average size of the last steps."""
    for param, grad, square_avg, acc_delta, step in zip(
        params, grads, square_avgs, acc_deltas, steps, strict=True
    ):
        step += 1
        with _wide(param, square_avg, acc_delta) as (p, s, a):
            scalar = p.dtype.type
            g = _gradient(grad, p, weight_decay, maximize)
            s *= scalar(rho)
            s += scalar(1 - rho) * g * g
            delta = np.sqrt(a + scalar(eps)) / np.sqrt(s + scalar(eps)) * g
            a *= scalar(rho)
            a += scalar(1 - rho) * delta * delta
            p += scalar(-lr) * delta


def asgd_step(
    params: Arrays,
    grads: Arrays,
    axs: Arrays,
    steps: Arrays,
    etas: Arrays,
    mus: Arrays,
    lr: float,
    lambd: float,
    alpha: float,
    t0: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Averaged SGD (Polyak and Juditsky, 1992): `axs` average the parameters from step t0 on."""
    for param, grad, ax, step, eta, mu in zip(params, grads, axs, steps, etas, mus, strict=True):
        step += 1
        t, rate, share = float(step), float(eta), float(mu)
        with _wide(param, ax) as (p, a):
            scalar = p.dtype.type
            g = _gradient(grad, p, weight_decay, maximize)
            p *= scalar(1 - lambd * rate)
            p += scalar(-rate) * g
            if share == 1:
                a[...] = p
            else:
                a += (p - a) * scalar(share)
        eta[...] = lr / (1 + lambd * lr * t) ** alpha
        mu[...] = 1 / max(1.0, t - t0)


def rprop_step(
    params: Arrays,
    grads: Arrays,
    prevs: Arrays,
    step_sizes: Arrays,
    steps: Arrays,
    eta_minus: float,
    eta_plus: float,
    step_min: float,
    step_max: float,
    maximize: bool,
) -> None:
    """Rprop (Riedmiller and Braun, 1993): steps of a size that grows while the sign of g stays."""
    for param, grad, prev, size, step in zip(params, grads, prevs, step_sizes, steps, strict=True):
        step += 1
        with _wide(param, prev, size) as (p, before, s):
            scalar = p.dtype.type
            g = _gradient(grad, p, 0.0, maximize)
            product = g * before
            s *= np.where(product > 0, scalar(eta_plus), scalar(1))
            s *= np.where(product < 0, scalar(eta_minus), scalar(1))
            np.clip(s, scalar(step_min), scalar(step_max), out=s)
            g = np.where(product < 0, scalar(0), g)
            p -= np.nan_to_num(np.sign(g), nan=0.0) * s
            before[...] = g


def lion_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Lion (Chen et al., 2023): p -= lr * (sign(beta1 m + (1 - beta1) g) + weight_decay p)."""
    for param, grad, exp_avg in zip(params, grads, exp_avgs, strict=True):
        with _wide(param, exp_avg) as (p, m):
            scalar = p.dtype.type
            g = _gradient(grad, p, 0.0, maximize)
            if weight_decay != 0:
                p *= scalar(1 - lr * weight_decay)
            direction = m * scalar(beta1) + scalar(1 - beta1) * g
            p -= scalar(lr) * np.nan_to_num(np.sign(direction), nan=0.0)
            m *= scalar(beta2)
            m += scalar(1 - beta2) * g


def lamb_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """LAMB (You et al., 2020): p -= lr * |p| / |u| * u, u = m' / (sqrt(v') + eps) + decay * p.

    Where one of the norms is 0 their ratio is 1.
    """
    for param, grad, exp_avg, exp_avg_sq, step in zip(
        params, grads, exp_avgs, exp_avg_sqs, steps, strict=True
    ):
        step += 1
        t = float(step)
        with _wide(param, exp_avg, exp_avg_sq) as (p, m, v):
            scalar = p.dtype.type
            _moments(p, grad, m, v, lr, beta1, beta2, 0.0, True, maximize)
            u = m / scalar(1 - beta1**t)
            u = u / (np.sqrt(v) / scalar((1 - beta2**t) ** 0.5) + scalar(eps))
            u += scalar(weight_decay) * p
            of_p, of_u = float(np.linalg.norm(p.ravel())), float(np.linalg.norm(u.ravel()))
            p -= scalar(lr * (of_p / of_u if of_p > 0 and of_u > 0 else 1.0)) * u


def lerp_tensors(params: Arrays, ends: Arrays, weight: float) -> None:
    """params += weight * (ends - params): what an exponential moving average does."""
    for param, end in zip(params, ends, strict=True):
        with _wide(param) as (p,):
            _lerp(p, end.astype(p.dtype, copy=False), weight)


def scale_tensors(params: Arrays, factor: float) -> None:
    """params *= factor."""
    for param in params:
        with _wide(param) as (p,):
            p *= p.dtype.type(factor)


def tensor_norms(arrays: Arrays, order: float) -> np.ndarray:
    """The vector norm of every array: a float64 each. Empty arrays have the norm 0."""
    return np.array([norm(array, order) for array in arrays], np.float64)


def norm(array: np.ndarray, order: float) -> float:
    """The vector norm of all elements of an array; 16-bit floats are added in float32."""
    x = array.ravel()
    if x.itemsize == 2:
        x = x.astype(np.float32)
    if x.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        if order == 2.0:
            return float(np.sqrt(np.dot(x, x)))
        x = np.abs(x)
        if order == np.inf:
            return float(x.max())
        if order == -np.inf:
            return float(x.min())
        if order == 0.0:
            return float(np.count_nonzero(x))
        if order == 1.0:
            return float(x.sum())
        return float((x**order).sum() ** (1.0 / order))
