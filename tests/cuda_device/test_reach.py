"""What once had no form on a GPU, or a wrong one: factorizations, late modules, bfloat16 writes."""

import subprocess
import sys

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import cuda_network


def values(*shape, seed=0, dtype=np.float32):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def near(there, here, bound=1e-4):
    assert there.is_cuda and there.dtype == here.dtype
    torch.testing.assert_close(there.cpu(), here, rtol=bound, atol=bound)


@pytest.mark.parametrize("shape", [(5, 5), (3, 40, 40), (2, 70, 70)], ids=str)
def test_factorizations_beyond_a_panel(shape) -> None:
    x = values(*shape, dtype=np.float64)
    b = values(*shape[:-1], 3, seed=1, dtype=np.float64)
    positive = x @ x.mT + torch.eye(shape[-1], dtype=torch.float64)
    near(torch.linalg.cholesky(positive.cuda()), torch.linalg.cholesky(positive), 1e-9)
    near(torch.linalg.cholesky(positive.cuda(), upper=True), torch.linalg.cholesky(positive).mT)
    for pivot in (True, False):
        for there, here in zip(
            torch.linalg.lu_factor(positive.cuda(), pivot=pivot),
            torch.linalg.lu_factor(positive, pivot=pivot),
        ):
            near(there, here, 1e-9)
    for there, here in zip(torch.linalg.lu(x.cuda()), torch.linalg.lu(x)):
        near(there, here, 1e-6)
    for upper in (True, False):
        near(
            torch.linalg.solve_triangular(positive.cuda(), b.cuda(), upper=upper),
            torch.linalg.solve_triangular(positive, b, upper=upper),
            1e-9,
        )
        small = x / shape[-1]
        options = {"upper": upper, "left": False, "unitriangular": True}
        near(
            torch.linalg.solve_triangular(small.cuda(), b.mT.cuda(), **options),
            torch.linalg.solve_triangular(small, b.mT, **options),
            1e-9,
        )


def test_lu_of_matrices_that_are_not_square() -> None:
    for shape in ((50, 33), (33, 50)):
        x = values(*shape, dtype=np.float64)
        for there, here in zip(torch.linalg.lu_factor(x.cuda()), torch.linalg.lu_factor(x)):
            near(there, here, 1e-9)


def test_failures_are_told() -> None:
    singular = torch.stack([torch.eye(3), torch.zeros(3, 3), torch.ones(3, 3)]).cuda()
    with pytest.raises(torch.linalg.LinAlgError, match="Batch element 1.*element 1 is zero"):
        torch.linalg.inv(singular)
    result, info = torch.linalg.inv_ex(singular)
    assert (
        info.is_cuda and info.tolist() == [0, 1, 2] and result[0].tolist() == torch.eye(3).tolist()
    )
    with pytest.raises(torch.linalg.LinAlgError, match="minor of order 2"):
        torch.linalg.cholesky(torch.diag(torch.tensor([1.0, -1.0, 1.0])).cuda())
    assert torch.linalg.cholesky_ex(-singular).info.tolist() == [1, 1, 1]
    assert torch.linalg.det(singular).tolist() == [1, 0, 0]
    with pytest.raises(NotImplementedError, match="linalg.ldl_factor: no GPU form yet"):
        torch.linalg.ldl_factor(singular)


def test_modules_loaded_late_know_of_the_gpu() -> None:
    """`linalg` and `special` are imported when first named: here after the first GPU array."""
    code = (
        "import sys; sys.path[:0] = ['tests', '.']\n"
        "from cuda_device import emulated_cupy; emulated_cupy.install()\n"
        "import minigrad as torch\n"
        "x = (torch.arange(4.0).reshape(2, 2) + 1).cuda()\n"
        "assert 'minigrad.linalg' not in sys.modules and 'minigrad.special' not in sys.modules\n"
        "print(torch.linalg.det(x).device, torch.special.i0(x).device,\n"
        "      torch.special.hermite_polynomial_h(x, 2).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "cuda:0 cuda:0 [[2.0, 14.0], [34.0, 62.0]]", done.stderr


def test_writes_by_index_reach_bfloat16() -> None:
    x = values(1, 2, 4).bfloat16()
    pooled, places = nn.functional.max_pool1d(x, 2, return_indices=True)
    back = nn.functional.max_unpool1d(pooled.cuda(), places.cuda(), 2)
    assert torch.equal(back.cpu(), nn.functional.max_unpool1d(pooled, places, 2))
    assert back.count_nonzero().item() == 4


def test_ctc_on_the_device() -> None:
    scores = values(9, 3, 5)
    labels, sizes = torch.tensor([1, 2, 2, 4, 3, 1]), torch.tensor([2, 3, 1])
    results = []
    for where in ("cpu", "cuda"):
        x = scores.detach().clone().to(where).requires_grad_()
        steps = torch.tensor([9, 7, 8])
        loss = nn.functional.ctc_loss(x.log_softmax(2), labels.to(where), steps, sizes.to(where))
        loss.backward()
        results.append((loss.detach(), x.grad))
    for here, there in zip(*results):
        near(there, here, 1e-5)


def test_bfloat16_by_dlpack() -> None:
    x = values(2, 3).bfloat16().cuda()
    y = torch.from_dlpack(x)
    assert y.dtype == torch.bfloat16 and y.is_cuda and y.tolist() == x.tolist()
    assert y.data_ptr() == x.data_ptr()


def test_dropout_in_a_graph_without_compiled_kernels(monkeypatch) -> None:
    x = torch.ones(64, device="cuda")
    monkeypatch.setattr(cuda_network, "kernel", lambda name: None)
    g = torch.cuda.CUDAGraph()
    torch.manual_seed(5)
    with torch.cuda.graph(g):
        y = nn.functional.dropout(x, 0.5)
    drawn = []
    for _ in range(2):
        g.replay()
        drawn.append(y.cpu())
    torch.manual_seed(5)
    for mask in drawn:
        assert torch.equal(mask, nn.functional.dropout(torch.ones(64), 0.5))
