"""Complex tensors, pairs of real ones, beside PyTorch's: values, types, gradients, printing."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

# Of z (3, 4), w (3, 4), v (4,), complex; x (3, 4), real; m the library.
CALLS = """
z+w z+x x+z z+2 2+z z+1j z-w x-z z-x 1-z m.add(z,w,alpha=2) m.sub(x,z,alpha=3) z*w z*x x*z 2*z z*2j
z/w z/x x/z 1/z z/2 z/(1+2j) -z +z z**2 z**3 z**0.5 z@w.mT z@w.H z@v v@w.mT m.mm(z,w.T) m.dot(v,v)
m.outer(v,v) m.mv(z,v) m.kron(z,w) m.tensordot(z,w,2) m.einsum('ij,kj->ik',z,w)
m.einsum('ij->ji',z) m.nn.functional.linear(z,w) m.nn.functional.linear(z,w,v[:3])
m.bmm(z[None],w.mT[None]) m.inner(z,w) z.abs() abs(z) z.angle() z.exp() z.log() z.sqrt() z.square()
z.reciprocal() z.conj() z.real z.imag m.real(z) m.imag(z) m.view_as_real(z.resolve_conj())
z.conj_physical() m.polar(x.abs(),x) m.complex(x,x) m.view_as_complex(m.stack([x,x],-1)) z.sum()
z.sum(0) z.mean(1,keepdim=True) z.masked_fill(x>0,5) z.masked_fill(x>0,2-1j)
z.masked_fill(x>0,v[0]) m.gradient(z)[1] m.gradient(z,spacing=2.0,dim=0)[0] z.cumsum(1) z.trace()
z.diff() z.reshape(2,6) z.view(12) z.flatten() z.T z.mT z.H z.permute(1,0) z.transpose(0,1)
z.unsqueeze(1) z[None].squeeze(0) z[:,None].expand(3,2,4) z.repeat(2,1) z.roll(1,0) z.flip(0)
m.cat([z,w]) m.cat([z,x.to(z.dtype)],1) m.stack([z,w],1) z.chunk(2,1)[1] z.split(2)[0]
z.unbind(0)[1] z[0] z[1:,::2] z[...,1] z[0,1] z[[0,2]] z[x>0] z[m.tensor([0,1]),1:] z[:,None,0]
z.narrow(1,1,2) z.diagonal() z.tril() z.index_select(0,m.tensor([1]))
z.gather(0,m.tensor([[1,0,2,1]])) z.clone() z.contiguous() z.detach() z.to(m.complex64)
z.to(m.complex128) x.to(z.dtype) z.cdouble() x.cdouble() m.zeros_like(z) m.where(x>0,z,w)
m.where(x>0,z,0) z==w z!=w z==z z.isfinite() z.isnan() m.isclose(z,w) m.allclose(z,z) m.equal(z,w)
m.equal(z,z) z.dtype z.shape z.stride() z.numel() z.dim() z.is_complex() m.is_complex(z)
z.is_floating_point() z.element_size() z.is_contiguous() len(z) z.tolist() z[0,0].item() z.size(1)
m.zeros(2,dtype=m.cfloat) m.ones(2,dtype=m.complex128) m.empty(2,0,dtype=m.cfloat)
m.tensor([1+2j,3]) m.tensor(1j) m.tensor([1.,2],dtype=m.cfloat) m.from_numpy(z.numpy())
m.as_tensor(z.numpy()) [r.sum()for(r)in(z)] z.type_as(w) x.type_as(z) x*1j 1j*x x+1j 1j+x x-2j 2j-x
x/2j 2j/x x.long()*1j m.exp(1j*x) z.view(m.float64) m.nn.functional.pad(z,(1,2))
z.masked_fill(x>0,0) z.movedim(0,1) z.repeat_interleave(2,0)
m.abs(z,out=m.zeros(0,dtype=m.float64)) m.add(z,w,out=m.zeros(3,4,dtype=m.cdouble))
m.mul(x,x,out=m.zeros(3,4,dtype=m.cdouble)) m.matmul(z,w.mT,out=m.zeros(1,dtype=m.cdouble))
m.conj_physical(z).conj_physical_() x.view(m.cdouble) m.eye(2,3,dtype=m.cfloat)
m.linspace(0,1,5,dtype=m.cdouble) m.scalar_tensor(2,dtype=m.cfloat)
m.nn.functional.pad(z,(1,2),value=1.0) z.new_zeros(2) z.new_full((2,),1-1j) m.full_like(z,2j)
m.ones_like(z,dtype=m.float32) z.bool() z.index_fill(0,m.tensor([1]),2j)
z.scatter(0,m.tensor([[1,0,2,1]]),3-1j) m.logical_and(z,x) z.where(x>0,w) m.nn.functional.silu(z)
m.istft(m.fft.fft(m.cat([z,w,z]),dim=0)[:8],8,onesided=False) m.linalg.matrix_rank(z)
m.linalg.svdvals(z) m.linalg.cond(z[:,:3]) m.linalg.cond(z[:,:3],1) m.linalg.eigvalsh(z[:,:3])
m.linalg.lstsq(z.mT,w.mT).solution m.linalg.vander(v,N=3)
m.linalg.tensorinv(z[:,:3].reshape(3,1,3),1)
""".split()  # noqa: SIM905


def given(m):
    rng = np.random.default_rng(11)
    z, w = (rng.standard_normal((3, 4, 2)) for _ in range(2))
    v, x = rng.standard_normal((4, 2)), rng.standard_normal((3, 4))
    z, w, v = (m.view_as_complex(m.from_numpy(a).requires_grad_()) for a in (z, w, v))
    return {"m": m, "z": z.detach(), "w": w.detach(), "v": v.detach(), "x": m.from_numpy(x)}


def plain(value):
    if hasattr(value, "resolve_conj"):
        value = value.resolve_conj().detach()
        return value.numpy(), str(value.dtype)
    return [plain(v) for v in value] if isinstance(value, list) else value


@needs_torch
@pytest.mark.parametrize("call", CALLS)
def test_values_are_pytorchs(call):
    ours, theirs = (plain(eval(call, given(m))) for m in (mg, torch))  # noqa: S307
    if isinstance(theirs, tuple) and isinstance(theirs[0], np.ndarray):
        assert ours[1] == theirs[1] and ours[0].shape == theirs[0].shape
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    elif isinstance(theirs, list):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a[0] if isinstance(a, tuple) else a,
                                       b[0] if isinstance(b, tuple) else b)  # fmt: skip
    else:
        assert str(ours) == str(theirs)


GRADIENTS = """
(z*w).abs().sum() (z/w).real.sum() (z@w.H).angle().sum() z.exp().imag.sum() z.log().real.sum()
z.sqrt().abs().sum() (z**3).abs().sum() (x*z).real.sum() (z.conj()*z).real.sum() z[1:].abs().sum()
m.cat([z,w]).abs().mean() m.einsum('ij,kj->ik',z,w).abs().sum() (1/z).abs().sum() z.abs().sum()
m.view_as_real(z).pow(2).sum() m.polar(x.abs(),x).imag.sum() m.where(x>0,z,w).abs().sum()
(z-w).abs().sum() m.fft.fft(z).abs().sum() (z.sum(0)*w.mean(0)).abs().sum() (0*z).abs().sum()
""".split()  # noqa: SIM905


@needs_torch
@pytest.mark.parametrize("call", GRADIENTS)
def test_gradients_are_pytorchs(call):
    found = []
    for m in (mg, torch):
        names = given(m)
        for t in names.values():
            if t is not m:
                t.requires_grad_()
        eval(call, names).backward()  # noqa: S307
        grads = [names[n].grad for n in "zwx"]
        found.append([None if g is None else g.resolve_conj().numpy() for g in grads])
    for a, b in zip(*found, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


WRITES = """
z[0]=1 z[1,1]=2j z[x>0]=0 z[:,1:3]=w[:,:2] z[...,0]=v[:3] z[0]=x[0] z.mul_(w) z.add_(1) z.sub_(w)
z.div_(2) z.zero_() z.fill_(1+2j) z.copy_(w) z.real[0]=5 m.view_as_real(z)[0]=3 z.fill_(value=2)
z.conj_physical_() z.sin_() z.addcmul_(w,w,value=2j) z.eq_(w) z.squeeze_() z.t_() z.unsqueeze_(1)
z.pow_(2) z.index_fill_(0,m.tensor([0]),1j)
""".split()  # noqa: SIM905


@needs_torch
@pytest.mark.parametrize("statement", [*WRITES, "z*=w", "z/=w", "z+=x", "z-=1j"])
def test_writes_are_pytorchs(statement):
    found = []
    for m in (mg, torch):
        names = given(m)
        exec(statement, names)  # noqa: S102
        found.append(names["z"].numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)


@needs_torch
@pytest.mark.parametrize(
    "call",
    [
        "m.view_as_real(x)", "m.view_as_complex(x)", "m.view_as_complex(m.ones(2,2).T)",
        "m.view_as_complex(m.ones(2,2).long())", "m.complex(x,x.float())", "z.item()", "z.view(7)",
        "m.complex(x.long(),x.long())", "z@w", "z[0,0,0]", "z.backward()", "z.sum().backward()",
        "x.imag", "m.tensor([1j],dtype=m.float32)", "m.view_as_complex(m.tensor(1.))",
        "z[3]", "m.polar(1,x)", "z+m.ones(5)",
    ],
)  # fmt: skip
def test_errors_are_of_pytorchs_class(call):
    with pytest.raises(Exception) as theirs:
        eval(call, given(torch))  # noqa: S307
    with pytest.raises(theirs.type):
        eval(call, given(mg))  # noqa: S307


@pytest.mark.parametrize(
    "call", ["z.sort()", "m.cov(z)", "z>w", "m.relu(z)", "m.linalg.lu(z[:,:3])", "z.max()",
             "m.linalg.qr(z,mode='r')", "z.view(m.float32)", "x.view(m.complex64)",
             "m.gradient(v,spacing=(v,))"],
)  # fmt: skip
def test_what_is_not_here_says_so(call):
    with pytest.raises(NotImplementedError, match="complex numbers were given"):
        eval(call, given(mg))  # noqa: S307


@needs_torch
def test_printing_is_pytorchs():
    for make in (
        lambda m: m.tensor([1 + 2j, -0.5 - 3j]), lambda m: m.tensor([[1 + 2j], [100 - 3j]]),
        lambda m: m.tensor(1j), lambda m: m.tensor([1e-6 + 2j, 3.5]),
        lambda m: m.zeros(0, dtype=m.cfloat), lambda m: m.ones(2, 3, dtype=m.complex128),
        lambda m: m.ones(2, dtype=m.cfloat, requires_grad=True),
        lambda m: m.complex(m.arange(2000.0), -m.arange(2000.0)),
    ):  # fmt: skip
        assert repr(make(mg)) == repr(make(torch))


@needs_torch
def test_random_numbers_are_pytorchs():
    for call in ("rand(3, 2, dtype=m.cfloat)", "randn(5, dtype=m.cdouble)"):
        values = []
        for m in (mg, torch):
            m.manual_seed(4)
            values.append(eval(f"m.{call}", {"m": m}).numpy())  # noqa: S307
        np.testing.assert_allclose(*values, rtol=1e-6)


def spectral_layer(m):
    class Spectral(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = m.nn.Parameter(0.5 * m.rand(2, 3, 4, dtype=m.cfloat))

        def forward(self, x):
            spectrum = m.fft.rfft(x)
            out = m.zeros(x.shape[0], 3, spectrum.shape[-1], dtype=m.cfloat)
            out[:, :, :4] = m.einsum("bix,iox->box", spectrum[:, :, :4], self.weight)
            return m.fft.irfft(out, n=x.shape[-1])

    return Spectral()


@needs_torch
def test_a_fourier_layer_is_trained_as_pytorchs():
    losses = []
    for m in (mg, torch):
        m.manual_seed(0)
        layer = spectral_layer(m)
        assert isinstance(layer.weight, m.nn.Parameter) and layer.weight.is_leaf
        optimizer = m.optim.Adam(layer.parameters(), lr=0.05, weight_decay=0.1)
        x, y = m.randn(6, 2, 12), m.randn(6, 3, 12)
        losses.append([])
        for _ in range(8):
            layer.zero_grad()
            loss = (layer(x) - y).pow(2).mean()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
        assert layer.weight.grad.shape == layer.weight.shape
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_modules_with_complex_parameters_are_copied_and_loaded():
    layer, other = spectral_layer(mg), spectral_layer(mg)
    other.load_state_dict(layer.state_dict())
    twin = copy.deepcopy(layer)
    assert mg.equal(other.weight, layer.weight) and mg.equal(twin.weight, layer.weight)
    twin.weight.data[0] = 0
    assert not mg.equal(twin.weight, layer.weight)
    kept = pickle.loads(pickle.dumps(layer.weight))  # noqa: S301
    assert mg.equal(kept, layer.weight) and repr(kept).startswith("Parameter containing")
    assert sum(p.numel() for p in layer.parameters()) == 24


def test_memory_is_shared():
    x = mg.zeros(3, 2)
    z = mg.view_as_complex(x)
    z[0] = 1 + 2j
    assert x.tolist()[0] == [1, 2] and mg.view_as_real(z) is x
    array = np.zeros(2, np.complex64)
    mg.from_numpy(array)[1] = 3j
    assert array[1] == 3j
    z.numpy()[2] = -1
    assert x.tolist()[2] == [-1, 0]


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z.conj() * z,
        lambda z: z.real + z.imag,
        lambda z: z.abs() * mg.is_complex(z),
        lambda z: mg.conj_physical(z) @ z,
        lambda z: mg.fft.fft(z),
    ],
)
def test_mapped(function):
    z = mg.view_as_complex(mg.randn(3, 4, 4, 2))
    made = [mg.vmap(function)(z), mg.vmap(lambda v: function(mg.view_as_complex(v)))(z.parts)]
    want = mg.stack([function(one) for one in z])
    for result in made:
        assert result.dtype == want.dtype
        np.testing.assert_allclose(result.numpy(), want.numpy(), rtol=1e-5, atol=1e-5)


# Of A (3, 3) and v (3,), complex; m the library.
FUNCTIONS = """
m.sin(A) m.cos(A) m.tan(A) m.sinh(A) m.cosh(A) m.tanh(A) m.expm1(A) m.log1p(A) m.log2(A) m.log10(A)
m.sigmoid(A) m.rsqrt(A) m.sgn(A) A**(1+2j) A**A 2.0**A A.prod() A.prod(-1,keepdim=True)
A[:2].prod(0) A.cumprod(0) A.cumprod(1) A.var() A.std(0) m.var(A,1,correction=0) m.var_mean(A,0)[1]
m.std_mean(A)[0] A.norm() A.norm(dim=0) m.linalg.vector_norm(A,3) m.linalg.norm(A) m.dist(A,A*2)
m.linalg.inv(A) m.inverse(A[None]) A.inverse() m.linalg.solve(A,v) m.linalg.solve(A,A.T)
m.lerp(A,A.conj(),0.3) m.asin(A) m.acos(A) m.atan(A) m.asinh(A) m.acosh(A) m.atanh(A) m.sinc(A)
m.exp2(A) m.linalg.det(A) A.det() m.linalg.slogdet(A)[0] m.linalg.slogdet(A)[1] m.logdet(A)
m.linalg.pinv(A[:2]) m.linalg.svdvals(A[:2]) m.linalg.svd(A[:2],False)[0].abs() m.linalg.svd(A)[1]
m.svd(A)[2].abs() m.linalg.eigh(A@A.mH)[0] m.linalg.eigh(A@A.mH)[1].abs() m.linalg.eigvalsh(A@A.mH)
m.linalg.qr(A)[0] m.linalg.qr(A)[1] m.linalg.qr(A[:2])[1] m.linalg.cholesky(A@A.mH+m.eye(3))
m.cholesky_solve(v[:,None],m.linalg.cholesky(A@A.mH)) m.cholesky_inverse(m.linalg.cholesky(A@A.mH))
m.linalg.matrix_exp(A) m.linalg.matrix_power(A,3) m.linalg.matrix_power(A,-2)
m.linalg.matrix_norm(A) m.linalg.matrix_norm(A,'nuc') A.norm('nuc') m.linalg.norm(A,1)
m.linalg.solve_triangular(A,v[:,None],upper=True) m.linalg.cross(A,A*2) m.linalg.vecdot(A,v)
m.linalg.householder_product(A,v[:2]) m.linalg.eigvals(A).abs().sort()[0]
m.linalg.eig(A)[1].abs().sum(0) m.linalg.det(m.stack([v,v,2*v])+0*A) m.addr(A,v,v,alpha=2j)
m.addcdiv(A,A,A*A) m.nn.functional.conv1d(A[None],A[:,:,None],v)
m.nn.functional.conv_transpose1d(A[None],A[:,:,None],v) A.index_add(0,m.tensor([1]),A[:1],alpha=2)
m.trapezoid(A) m.trapezoid(A,A*2) m.logsumexp(A,1) m.nn.functional.normalize(A)
m.nn.functional.l1_loss(A,A*2) A.float_power(2) m.addmm(A,A,A,beta=0.5,alpha=2) m.addmv(v,A,v)
m.baddbmm(A[None],A[None],A[None]) m.vdot(A[0],v) A.adjoint().resolve_conj()
A.masked_select(A.real>0) m.ones_like(A)*A
""".split()  # noqa: SIM905


@needs_torch
@pytest.mark.parametrize("call", FUNCTIONS)
def test_functions_and_gradients(call: str) -> None:
    """Values, and the gradient that `autograd.grad` takes with respect to complex numbers."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((3, 3, 2)), rng.standard_normal((3, 2))
    results = []
    for m in (mg, torch):
        A = m.view_as_complex(m.from_numpy(a.copy())).requires_grad_()
        v = m.view_as_complex(m.from_numpy(b.copy()))
        result = eval(call, {"m": m, "A": A, "v": v})
        (grad,) = m.autograd.grad((abs(result) ** 2).sum(), A)
        results.append((result.detach().numpy(), grad.resolve_conj().numpy()))
    for mine, theirs in zip(*results, strict=True):
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


TESTS = """
z.any() z.all() z.nonzero() m.count_nonzero(z) m.isreal(z) bool(z[0]) (1+2j)in(z) float(z[2])
int(z[2]) float(z[0]) z.float() x.copy_(z) z.to(m.float64) x.__setitem__(0,z[0]) m.full((2,),1+1j)
m.full((2,),2.0,dtype=m.cfloat) x.add_(z) x.mul_(z)
m.ones_like(z) m.testing.assert_close(z,z+1e-9) m.testing.assert_close(z,z+1)
m.testing.assert_close(z,z.to(m.complex128)) m.autograd.grad(z.abs().sum(),z)
""".split()  # noqa: SIM905


@needs_torch
@pytest.mark.filterwarnings("ignore:Casting complex")
@pytest.mark.parametrize("call", TESTS)
def test_questions_and_errors(call: str) -> None:
    results = []
    for m in (mg, torch):
        scope = {"m": m, "z": m.tensor([1 + 2j, 0, 3]), "x": m.ones(3)}
        try:
            results.append(repr(eval(call, scope)))
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]


@needs_torch
def test_gradients_of_several_and_with_weights() -> None:
    results = []
    for m in (mg, torch):
        z = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
        x = m.ones(2, requires_grad=True)
        y = z * z * x
        grads = m.autograd.grad(y, (z, x), m.ones_like(y), create_graph=True)
        again = m.autograd.grad(grads[0].abs().sum(), z)
        unused = m.autograd.grad((x * 1).sum(), (z,), allow_unused=True)
        zeros = m.autograd.grad((x * 1).sum(), (z,), materialize_grads=True)
        m.autograd.backward(y, m.ones_like(y), inputs=[z])
        values = [*grads, *again, *zeros, z.grad]
        results.append(([v.detach().resolve_conj().numpy() for v in values], unused))
    assert results[0][1] == results[1][1] == (None,)
    for mine, theirs in zip(results[0][0], results[1][0], strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
