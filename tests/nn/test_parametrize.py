"""Parametrizations, weight and spectral norm, pruning and fusing beside PyTorch's."""

import copy
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")
LIBS = (torch, mg)
pytestmark = pytest.mark.filterwarnings("ignore")


def both(compute):
    """The results of a computation with both libraries, each after the same seed."""
    found = []
    for lib in LIBS:
        lib.manual_seed(0)
        found.append(compute(lib))
    return found


def plain(value):
    """What can be compared: arrays for tensors, the class for exceptions."""
    if isinstance(value, (torch.Tensor, mg.Tensor)):
        return value.detach().numpy()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def same(compute, tolerance=1e-9):
    theirs, ours = (plain(x) for x in both(compute))
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance, strict=True)
        else:
            assert b == a


def linear(lib, n=4, k=3):
    return lib.nn.Linear(n, k, dtype=lib.float64)


def trained(lib, module, steps=3):
    """Keys and repr of a module, and its outputs and state over some steps of SGD."""
    width = module(lib.ones(2, 4, dtype=lib.float64)).shape[1]
    x = lib.linspace(-1, 1, 8, dtype=lib.float64).reshape(2, 4)
    optimizer = lib.optim.SGD(module.parameters(), lr=0.1)
    found = [list(module.state_dict()), repr(module), [n for n, _ in module.named_parameters()]]
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (module(x) * lib.arange(1.0, width + 1, dtype=lib.float64)).pow(2).sum()
        loss.backward()
        optimizer.step()
        found.append(loss)
    return found + list(module.state_dict().values())


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim):
    def compute(lib):
        utils = lib.nn.utils
        new = utils.parametrizations.weight_norm(linear(lib), dim=dim)
        old = utils.weight_norm(linear(lib), dim=dim)
        found = trained(lib, new) + trained(lib, old)
        other = utils.parametrizations.weight_norm(linear(lib), dim=dim)
        other.load_state_dict(old.state_dict())
        found.append(other.weight)
        utils.parametrize.remove_parametrizations(new, "weight")
        utils.remove_weight_norm(old)
        return found + [list(new.state_dict()), list(old.state_dict()), new.weight, old.weight]

    same(compute)


@pytest.mark.parametrize("kind", ["Linear", "Conv2d", "ConvTranspose2d"])
def test_spectral_norm(kind):
    def compute(lib):
        utils = lib.nn.utils
        found = []
        for norm in (utils.parametrizations.spectral_norm, utils.spectral_norm):
            if kind == "Linear":
                module = norm(linear(lib), n_power_iterations=2)
                found += trained(lib, module)
            else:
                module = norm(getattr(lib.nn, kind)(2, 3, 3, dtype=lib.float64))
                x = lib.ones(1, 2, 4, 4, dtype=lib.float64)
                loss = module(x).sum() + module(x).sum()
                loss.backward()
                found += [p.grad for p in module.parameters()] + [module.weight]
            module.eval()
            found += [module.state_dict()._metadata[""], module.weight]
            if norm is utils.parametrizations.spectral_norm:
                found += list(copy.deepcopy(module).state_dict().values())
        utils.remove_spectral_norm(module)
        return [*found, list(module.state_dict()), module.weight]

    same(compute)


@pytest.mark.parametrize("name", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (4, 6), (4, 2)])
def test_orthogonal(name, trivial, shape):
    def compute(lib):
        layer = lib.nn.utils.parametrizations.orthogonal(
            linear(lib, *shape), orthogonal_map=name, use_trivialization=trivial
        )
        weight = layer.weight
        found = [weight, *trained(lib, layer)]
        if trivial or name in ("householder",) or (name is None and shape[0] != shape[1]):
            target = lib.linspace(-1, 1, weight.numel(), dtype=lib.float64).reshape(weight.shape)
            layer.weight = (target + target**2).sin()
            found.append(layer.weight)
        return found

    same(compute, 1e-7)


class _Symmetric:
    """Built for each library: a parametrization without an inverse, and one with."""

    @staticmethod
    def of(lib):
        class Symmetric(lib.nn.Module):
            def forward(self, x):
                return x.triu() + x.triu(1).mT

        class Exp(lib.nn.Module):
            def forward(self, x):
                return x.exp()

            def right_inverse(self, x):
                return x.log()

        return Symmetric(), Exp()


def test_register_and_remove():
    def compute(lib):
        parametrize = lib.nn.utils.parametrize
        symmetric, exp = _Symmetric.of(lib)
        layer = linear(lib, 4, 4)
        parametrize.register_parametrization(layer, "weight", symmetric)
        found = [layer.weight, type(layer).__name__, parametrize.is_parametrized(layer, "bias")]
        layer.register_buffer("scale", lib.full((3,), 2.0, dtype=lib.float64))
        parametrize.register_parametrization(layer, "scale", exp)
        layer.scale = lib.full((3,), 5.0, dtype=lib.float64)
        found += [layer.scale, layer.parametrizations.scale.original, *trained(lib, layer)]
        with parametrize.cached():
            found += [layer.weight is layer.weight]
        copied = copy.deepcopy(layer)
        found += [copied.weight, type(copied).__name__]
        parametrize.register_parametrization(layer, "weight", exp)
        found += [layer.weight, len(layer.parametrizations.weight)]
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
        found += [layer.weight, list(layer.state_dict())]
        parametrize.remove_parametrizations(layer, "scale")
        found += [layer.scale, type(layer).__name__, list(layer.state_dict())]
        return [*found, parametrize.type_before_parametrizations(copied).__name__]

    same(compute)


def test_refused_parametrizations():
    def compute(lib):
        parametrize = lib.nn.utils.parametrize

        class Narrow(lib.nn.Module):
            def forward(self, x):
                return x[:1]

        class Number(lib.nn.Module):
            def forward(self, x):
                return 3

        calls = (
            lambda: parametrize.register_parametrization(linear(lib), "weight", Narrow()),
            lambda: parametrize.register_parametrization(linear(lib), "weight", Number()),
            lambda: parametrize.register_parametrization(linear(lib), "nothing", Narrow()),
            lambda: parametrize.remove_parametrizations(linear(lib), "weight"),
            lambda: lib.nn.utils.parametrizations.orthogonal(linear(lib), "bias"),
            lambda: lib.nn.utils.parametrizations.orthogonal(linear(lib), orthogonal_map="qr"),
            lambda: lib.nn.utils.parametrizations.spectral_norm(linear(lib), dim=3),
            lambda: lib.nn.utils.spectral_norm(linear(lib), n_power_iterations=0),
            lambda: lib.nn.utils.remove_weight_norm(linear(lib)),
            lambda: lib.nn.utils.prune.remove(linear(lib), "weight"),
            lambda: lib.nn.utils.prune.l1_unstructured(linear(lib), "weight", 1.5),
            lambda: lib.nn.utils.prune.l1_unstructured(linear(lib), "weight", 100),
            lambda: lib.nn.utils.prune.ln_structured(linear(lib), "bias", 1, 2, 0),
        )
        found = []
        for call in calls:
            try:
                call()
                found.append("no error")
            except Exception as error:
                found.append(type(error).__name__)
        return found

    same(compute)


PRUNINGS = {
    "identity": lambda prune, m, lib: prune.identity(m, "weight"),
    "random": lambda prune, m, lib: prune.random_unstructured(m, "weight", 0.4),
    "l1": lambda prune, m, lib: prune.l1_unstructured(m, "weight", amount=5),
    "scores": lambda prune, m, lib: prune.l1_unstructured(
        m, "weight", 0.3, importance_scores=lib.arange(12.0, dtype=lib.float64).reshape(3, 4)
    ),
    "random rows": lambda prune, m, lib: prune.random_structured(m, "weight", 1, dim=0),
    "columns": lambda prune, m, lib: prune.ln_structured(m, "weight", 0.5, n=2, dim=1),
    "mask": lambda prune, m, lib: prune.custom_from_mask(m, "bias", lib.tensor([1, 0, 1])),
}


@pytest.mark.parametrize("first", PRUNINGS)
@pytest.mark.parametrize("second", [None, "l1", "columns", "random"])
def test_prune(first, second):
    def compute(lib):
        prune, layer = lib.nn.utils.prune, linear(lib)
        PRUNINGS[first](prune, layer, lib)
        if second:
            PRUNINGS[second](prune, layer, lib)
        found = [prune.is_pruned(layer), *trained(lib, layer), list(layer.state_dict())]
        found += [type(hook).__name__ for hook in layer._forward_pre_hooks.values()]
        prune.remove(layer, "bias" if first == "mask" else "weight")
        return [*found, prune.is_pruned(layer), list(layer.state_dict()), layer.weight, layer.bias]

    same(compute)


def test_prune_globally():
    def compute(lib):
        prune = lib.nn.utils.prune
        model = lib.nn.Sequential(linear(lib), lib.nn.ReLU(), linear(lib, 3, 5))
        pairs = [(model[0], "weight"), (model[2], "weight"), (model[2], "bias")]
        prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.3)
        prune.global_unstructured(pairs, prune.L1Unstructured, amount=4)
        alone = prune.L1Unstructured(amount=2).prune(lib.tensor([3.0, -1.0, 2.0, 0.5]))
        return [*trained(lib, model), prune.is_pruned(model), alone]

    same(compute)


@pytest.mark.parametrize("kind", ["Conv1d", "Conv2d", "ConvTranspose2d", "Linear"])
@pytest.mark.parametrize("bias", [True, False])
def test_fuse(kind, bias):
    def compute(lib):
        d = {"Conv1d": 1, "Linear": 1}.get(kind, 2)
        sizes = (4, 3) if kind == "Linear" else (4, 3, 2)
        layer = getattr(lib.nn, kind)(*sizes, bias=bias, dtype=lib.float64)
        norm = getattr(lib.nn, f"BatchNorm{d}d")(3, dtype=lib.float64)
        with lib.no_grad():
            norm.weight += 0.5
            norm.bias -= 0.3
        shape = (5, 4) if kind == "Linear" else (2, 4, *(5,) * d)
        x = lib.linspace(-1, 2, int(np.prod(shape)), dtype=lib.float64).reshape(shape).sin()
        norm(layer(x))
        layer.eval(), norm.eval()
        if kind == "Linear":
            fused = lib.nn.utils.fusion.fuse_linear_bn_eval(layer, norm)
        else:
            options = {"transpose": True} if "Transpose" in kind else {}
            fused = lib.nn.utils.fusion.fuse_conv_bn_eval(layer, norm, **options)
        return [fused(x), norm(layer(x)), fused.weight, fused.bias, type(fused.bias).__name__]

    same(compute)


def test_skip_init_and_functional_call():
    def compute(lib):
        layer = lib.nn.utils.skip_init(lib.nn.Linear, 3, 2)
        after = lib.rand(2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = {"weight": lib.ones(2, 3), "bias": lib.zeros(2)}
            out = lib.nn.utils.stateless.functional_call(layer, state, lib.ones(1, 3))
        try:
            lib.nn.utils.skip_init(dict)
        except RuntimeError as error:
            return [repr(layer), after, out, type(error).__name__]

    same(compute)
