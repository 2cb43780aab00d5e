"""Every optional package that is missing is an error that names the extra which brings it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None  # type: ignore[assignment]

ROOT = Path(__file__).parents[1]
OWN_TOOLS = {"test", "dev", "bench"}  # for work on minigrad itself

# extra: (modules that are missing, what a user calls then)
USES = [
    ("albumentations", "albumentations", "vision.augment.Albumentations(None)"),
    ("cuda12", "cupy", "mg.zeros(1, device='cuda')"),
    ("cuda13", "cupy", "mg.zeros(1).cuda()"),
    ("energy", "pynvml", "told(gpu_meters('.')[1][0])"),
    ("linalg", "scipy", "mg.linalg.ldl_factor(mg.eye(2))"),
    ("linalg", "scipy", "mg.linalg.ldl_solve(mg.eye(2), mg.tensor([1, 2]), mg.eye(2))"),
    ("optuna", "optuna", "train.search(None, n_trials=1)"),
    ("optuna", "optuna", "train.OptunaPruning(None)"),
    ("safetensors", "safetensors", "mg.save_safetensors({'a': mg.eye(2)}, 'made')"),
    ("safetensors", "safetensors", "mg.load_safetensors('given')"),
    ("secure", "cryptography", "secure.save({'a': 1}, 'made', key=b'k' * 32)"),
    ("secure", "cryptography", "secure.encrypt_file('given', 'made', key=b'k' * 32)"),
    ("sklearn", "sklearn", "train.Classifier()"),
    ("sklearn", "sklearn", "train.Regressor()"),
    ("tensorboard", "tensorboardX", "tensorboard()"),
    ("tensorboard", "tensorboardX", "train.TensorBoardLogger('runs')"),
    ("train", "tqdm", "train.ProgressBar()"),
    ("train", "matplotlib", "train.PlotHistory('curve.png')"),
    ("vision", "PIL", "vision.transforms.ToPILImage()(mg.zeros(3, 2, 2))"),
    ("vision", "PIL", "vision.utils.save_image(mg.zeros(3, 2, 2), 'image.png')"),
    ("vision", "pooch", "vision.datasets.MNIST('.', download=True)"),
]
PROGRAM = """
import importlib.util, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

known, hidden = importlib.util.find_spec, set()
importlib.util.find_spec = lambda name, *rest: None if name in hidden else known(name, *rest)
sys.meta_path.insert(0, Hidden())
"""
REST = """
import minigrad as mg
from minigrad import secure, train, vision
from minigrad.kernels.cuda_library import forget
from minigrad.profiler.meters import gpu_meters  # '.' is where a GPU's driver would show itself

def told(reason):
    raise ImportError(reason)

def tensorboard():
    from minigrad.utils.tensorboard import SummaryWriter

for extra, module, call in uses:
    hidden = HIDDEN
    hidden.clear()
    hidden.add(module)
    for name in [n for n in sys.modules if n.partition(".")[0] == module]:
        del sys.modules[name]
    forget()
    try:
        eval(call)
    except Exception as error:
        print(repr((extra, call, type(error).__name__, str(error))))
    else:
        print(repr((extra, call, None, "no error")))
"""


def test_a_missing_package_is_told_with_its_extra(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"nothing")
    program = PROGRAM + f"HIDDEN = hidden\nuses = {USES!r}\n" + REST
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    rows = [eval(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(USES)
    wrong = [row for row in rows if f'pip install "minigrad[{row[0]}]"' not in row[3].replace(
        '(or "minigrad[cuda12]"', '(or pip install "minigrad[cuda12]"'
    )]  # fmt: skip
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.skipif(tomllib is None, reason="tomllib came with Python 3.11")
def test_every_extra_is_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"]) - OWN_TOOLS
    assert extras == {extra for extra, _, _ in USES} | {"examples"}
    named = {
        extra
        for path in [*ROOT.glob("minigrad/**/*.py"), *ROOT.glob("examples/*.py")]
        for extra in re.findall(r"pip install [\"']?minigrad\[(\w+)\]", path.read_text())
    }
    assert named <= extras and "examples" in named
