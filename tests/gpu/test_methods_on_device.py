"""Every method on a device: learnt and scored there, its map that of the CPU."""

import copy

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from andi_bench.config import names_in
from andi_bench.console import Console
from benchmark.conformance.candidate import SEED, Candidate
from benchmark.scoring import network_form
from benchmark.scoring.engine import ScoreEngine, score_volume, score_volumes
from benchmark.scoring.network_form import shape_network
from benchmark.training.state import load_tensors, save_tensors
from benchmark.training.trainer import Trainer

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
STEPS = 4


def learnt(candidate: Candidate, device: torch.device, folder, *, steps=STEPS):
    """Return a detector that has learnt for a few steps on a device, calibrated on the CPU."""
    run = candidate.variant(training={"steps": steps, "checkpoint_minutes": 1e-9})
    detector = candidate.build(run)
    detector.to(device)
    if detector.learns():
        trainer = Trainer(
            Accelerator(cpu=device.type == "cpu"),
            run.training,
            SEED,
            folder / "progress.safetensors",
            Console(quiet=True),
        )
        detector.fit(candidate.phantom.slices(run.preprocessing), trainer)
    detector.to(device)
    if detector.needs_calibration:
        volumes = candidate.phantom.volumes(run.preprocessing)
        found = detector.calibrate(iter(volumes), engine(candidate, device))
        detector.calibration = {key: float(value) for key, value in found.items()}
    return detector


def engine(candidate: Candidate, device: torch.device) -> ScoreEngine:
    run = candidate.run
    return ScoreEngine(SEED, device, run.scoring, run.preprocessing.modalities)


def on(device: torch.device, detector):
    """Return a copy of a detector on a device."""
    moved = copy.deepcopy(detector)
    moved.to(device)
    return moved


def scored(candidate: Candidate, detector, device: torch.device) -> np.ndarray:
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    return score_volume(on(device, detector), volume, engine(candidate, device)).map


@pytest.mark.parametrize("name", names_in("methods"))
def test_a_method_that_learnt_on_the_device_scores_there_as_on_the_cpu(
    name, device, phantom, tmp_path
):
    candidate = Candidate(name, phantom, tmp_path)
    detector = learnt(candidate, device, tmp_path)
    there, here = scored(candidate, detector, device), scored(candidate, detector, CPU)
    assert np.isfinite(there).all()
    assert there.any()
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-4 * np.abs(here).max())
    again = scored(candidate, detector, device)
    np.testing.assert_allclose(again, there, rtol=0, atol=1e-5 * np.abs(there).max())


@pytest.mark.parametrize("name", names_in("methods"))
def test_volumes_that_share_batches_on_the_device_have_the_maps_they_have_alone(
    name, device, phantom, tmp_path
):
    candidate = Candidate(name, phantom, tmp_path)
    detector = on(device, learnt(candidate, device, tmp_path))
    volumes = candidate.phantom.volumes(candidate.run.preprocessing)
    if not detector.joins_volumes:
        assert engine(candidate, device).volumes_at_once(detector, volumes[0]) == 1
        return
    alone = [score_volume(detector, v, engine(candidate, device)).map for v in volumes]
    joined = [s.map for s in score_volumes(detector, volumes, engine(candidate, device))]
    for one, other in zip(alone, joined, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-4 * np.abs(one).max())


@pytest.mark.parametrize("name", ["andi", "dae", "vae"])
def test_what_was_learnt_on_the_device_is_read_on_the_cpu(name, device, phantom, tmp_path):
    candidate = Candidate(name, phantom, tmp_path)
    detector = learnt(candidate, device, tmp_path)
    save_tensors(detector.state(), tmp_path / "model.safetensors", {})
    other = candidate.build()
    other.load(load_tensors(tmp_path / "model.safetensors")[0])
    other.net.eval()
    np.testing.assert_allclose(
        scored(candidate, other, CPU), scored(candidate, detector, CPU), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["andi", "ae"])
def test_a_training_that_was_stopped_on_the_device_goes_on_on_the_cpu(
    name, device, phantom, tmp_path
):
    candidate = Candidate(name, phantom, tmp_path)
    whole = learnt(candidate, CPU, tmp_path, steps=2 * STEPS)
    run = candidate.variant(training={"steps": 2 * STEPS, "checkpoint_minutes": 1e-9})
    folder = tmp_path / "cut"
    folder.mkdir()
    for where, stop in ((device, STEPS), (CPU, None)):
        detector = candidate.build(run)
        detector.to(where)
        accelerator = Accelerator(cpu=where.type == "cpu")
        trainer = Trainer(
            accelerator, run.training, SEED, folder / "progress.safetensors", Console(quiet=True)
        )
        if stop is not None:
            _stopped_at(trainer, stop)
            with pytest.raises(KeyboardInterrupt):
                detector.fit(phantom.slices(run.preprocessing), trainer)
        else:
            detector.fit(phantom.slices(run.preprocessing), trainer)
    assert trainer.state.step == 2 * STEPS
    for one, other in zip(whole.net.parameters(), detector.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)


def _stopped_at(trainer: Trainer, stop: int) -> None:
    step = trainer._step

    def killed(*arguments):
        if trainer.state.step == stop:
            raise KeyboardInterrupt
        return step(*arguments)

    trainer._step = killed


@pytest.mark.parametrize("name", ["andi", "anoddpm", "ae", "vae", "dae"])
def test_a_map_in_bf16_is_near_the_map_in_float32(name, device, phantom, tmp_path, monkeypatch):
    monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: True)
    candidate = Candidate(name, phantom, tmp_path)
    detector = learnt(candidate, device, tmp_path)
    exact = scored(candidate, detector, device)
    rounding = on(device, detector)
    config = candidate.run.scoring.model_copy(update={"precision": "bf16"})
    shape_network(rounding, config, device)
    volume, _ = phantom.volumes(candidate.run.preprocessing)
    rounded = score_volume(rounding, volume, engine(candidate, device)).map
    inside = volume.brain
    assert np.isfinite(rounded).all()
    assert not np.array_equal(rounded, exact)
    assert np.corrcoef(rounded[inside], exact[inside])[0, 1] > 0.98


@pytest.mark.parametrize("name", ["andi", "anoddpm", "ae"])
def test_a_network_of_captured_graphs_gives_the_map_of_the_plain_one(
    name, device, phantom, tmp_path
):
    if device.type != "cuda":
        pytest.skip("CUDA graphs are captured on a GPU")
    candidate = Candidate(name, phantom, tmp_path)
    detector = learnt(candidate, device, tmp_path)
    plain = scored(candidate, detector, device)
    captured = on(device, detector)
    config = candidate.run.scoring.model_copy(
        update={"compile": "reduce-overhead", "precision": "float32"}
    )
    shape_network(captured, config, device)
    volume, _ = phantom.volumes(candidate.run.preprocessing)
    found = score_volume(captured, volume, engine(candidate, device)).map
    np.testing.assert_allclose(found, plain, rtol=0, atol=1e-4 * np.abs(plain).max())
