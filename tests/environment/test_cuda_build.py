"""What the build decides about CUDA: where nvcc is looked for, `auto`, `on` and `off`.

Only CMake's configuration runs, on the project's own file; compiling is for CI.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = """
cmake_minimum_required(VERSION 3.20)
project(decision LANGUAGES NONE)
include({root}/cmake/cuda.cmake)
message(STATUS "have: ${{MG_HAVE_CUDA}}")
"""
PLACES = ("CUDACXX", "PATH", "CUDA_HOME", "CUDA_PATH", "/nowhere", "NVIDIA's wheels")
pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("ninja") and (ROOT / "cmake").exists()),
    reason="needs CMake, Ninja and a checkout",
)


@pytest.fixture
def configure(tmp_path):
    """A function that configures the decision with an environment, and gives (status, output)."""
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(root=ROOT))
    (tmp_path / "empty").mkdir()
    cmake, ninja = shutil.which("cmake"), shutil.which("ninja")

    def run(choice, **environment):
        shutil.rmtree(tmp_path / "build", ignore_errors=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("CUDA", "MINIGRAD"))}
        clean |= {"PATH": str(tmp_path / "empty")} | environment
        command = [cmake, "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja",
                   f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DPython_EXECUTABLE={sys.executable}",
                   f"-DMINIGRAD_CUDA={choice}", "-DMG_CUDA_USUAL=/nowhere"]  # fmt: skip
        done = subprocess.run(command, env=clean, capture_output=True, text=True)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


def program(path, works=True):
    """An nvcc that says its version, and compiles nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit {0 if works else 1}\nexit 1\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def wheels_are_there():
    try:
        import nvidia
    except ImportError:
        return False
    return any(nvcc for path in nvidia.__path__ for nvcc in Path(path).glob("cu*/bin/nvcc"))


def test_auto_without_nvcc_says_what_was_tried_and_on_fails_with_the_same(configure):
    if wheels_are_there():
        pytest.skip("NVIDIA's wheels are installed")
    status, said = configure("auto")
    assert status == 0 and "have: OFF" in said
    tried = re.search(r"minigrad\._cuda: (no working nvcc; tried .*?wheels \(none\))", said)[1]
    for place in PLACES:
        assert f"{place} (none)" in tried
    status, said = configure("on")
    assert status != 0 and f"MINIGRAD_CUDA=on: {tried}" in said


def test_an_nvcc_that_does_not_run_is_named(configure, tmp_path):
    broken = program(tmp_path / "broken" / "nvcc", works=False)
    status, said = configure("auto", CUDACXX=str(broken))
    assert status == 0 and (f"CUDACXX ({broken} does not run)" in said or wheels_are_there())


def test_off_looks_for_nothing(configure, tmp_path):
    program(tmp_path / "tools" / "nvcc")
    status, said = configure("off", PATH=str(tmp_path / "tools"))
    assert status == 0 and "minigrad._cuda: MINIGRAD_CUDA=off" in said and "have: OFF" in said


def test_another_choice_is_refused(configure):
    status, said = configure("perhaps")
    assert status != 0 and "it must be auto, on or off" in said


@pytest.mark.parametrize("place", ["PATH", "CUDACXX", "CUDA_HOME", "CUDA_PATH", "wheels"])
def test_nvcc_is_found(configure, tmp_path, place):
    """It is found where it lies; that this one cannot compile is told in the same words."""
    environment = {"PATH": str(tmp_path / "empty")}
    if place == "PATH":
        nvcc = program(tmp_path / "tools" / "nvcc")
        environment["PATH"] = str(nvcc.parent)
    elif place == "CUDACXX":
        nvcc = program(tmp_path / "compiler")
        environment["CUDACXX"] = str(nvcc)
    elif place == "wheels":
        nvcc = program(tmp_path / "site" / "nvidia" / "cu13" / "bin" / "nvcc")
        environment |= {"PYTHONPATH": str(tmp_path / "site"), "MINIGRAD_CUDA_WHEELS": "1"}
    else:
        nvcc = program(tmp_path / "toolkit" / "bin" / "nvcc")
        environment[place] = str(tmp_path / "toolkit")
    said = configure("auto", **environment)
    assert said[0] == 0 and f"minigrad._cuda: {nvcc} cannot compile" in said[1], said
    if place == "PATH":
        status, text = configure("on", **environment)
        assert status != 0 and f"MINIGRAD_CUDA=on: {nvcc} cannot compile" in text
