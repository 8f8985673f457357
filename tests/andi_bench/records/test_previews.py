"""Previews in a run record: reduced, but never other scores; the same bytes; and nothing that a reader must trust."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_scans import SMALL
from support.small_volumes import small_volume

from andi_bench.errors import UserError
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.records.previews import (
    LONGEST,
    choose,
    find_previews,
    make_preview,
    read_preview,
    reduced_levels,
    reduced_scan,
    write_preview,
)
from andi_bench.records.search import find_records
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.scan_views import view_of


def scene(seed=0, shape=(30, 26, 20)):
    """A brain with a lesion, and heavy-tailed scores."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.7
    lesion = ((grid - 0.2) ** 2).sum(axis=0) < 0.05
    scores = (rng.lognormal(size=shape) * (1 + 3 * lesion) * brain).astype(np.float32)
    scan = (brain * rng.uniform(0.5, 1.2, size=shape)).astype(np.float32)
    return scan, brain, lesion, scores


def kept(array, preview):
    """The voxels of the working grid that a preview shows."""
    ends = [
        o + n * s for o, n, s in zip(preview.origin, preview.scan.shape, preview.step, strict=True)
    ]
    return array[
        tuple(slice(o, e, s) for o, e, s in zip(preview.origin, ends, preview.step, strict=True))
    ]


@pytest.mark.parametrize("shape", [(30, 26, 20), (2 * LONGEST + 30, 24, LONGEST + 40)])
def test_a_detection_at_an_operating_point_is_the_measured_one_voxel_by_voxel(shape):
    scan, brain, lesion, scores = scene(1, shape)
    thresholds = [float(np.float32(v)) for v in np.quantile(scores[brain], [0.9, 0.99, 0.999])]
    shown = make_preview(
        {"flair": reduced_scan(scan, brain)},
        brain,
        lesion,
        {"raw": scores},
        {"raw": thresholds},
        (1.0, 1.5, 2.0),
    )
    assert max(shown.scan.shape) <= LONGEST
    assert np.array_equal(shown.brain, kept(brain, shown))
    assert np.array_equal(shown.lesion, kept(lesion, shown))
    codes, edges = shown.maps["raw"].codes, shown.maps["raw"].edges
    for threshold in thresholds:
        (k,) = np.flatnonzero(edges == np.float32(threshold))
        assert np.array_equal(codes > k, kept((scores > np.float32(threshold)) & brain, shown))
    steps = np.array(shown.step)
    assert np.allclose(shown.spacing, steps * (1.0, 1.5, 2.0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-30, 30))
def test_every_edge_parts_the_scores_exactly_whatever_their_scale(seed, exponent):
    rng = np.random.default_rng(seed)
    scores = np.ldexp(rng.standard_cauchy((7, 6, 5)), exponent).astype(np.float32)
    brain = rng.random((7, 6, 5)) < 0.7
    brain[3, 3, 3] = True
    shown = make_preview(
        {"flair": scores},
        brain,
        brain,
        {"raw": scores},
        {"raw": [float(scores[3, 3, 3])]},
        (1.0, 1.0, 1.0),
    )
    found, inside = shown.maps["raw"], kept(brain, shown)
    values = kept(scores, shown)
    assert np.float32(scores[3, 3, 3]) in found.edges
    for k, edge in enumerate(found.edges):
        assert np.array_equal(found.codes > k, (values > edge) & inside)


def test_a_map_of_one_value_and_a_scan_of_zeros_can_be_shown():
    brain = np.ones((4, 4, 4), dtype=bool)
    flat = np.zeros((4, 4, 4), dtype=np.float32)
    shown = make_preview(
        {"flair": reduced_scan(flat, brain)},
        brain,
        ~brain,
        {"raw": flat},
        {"raw": [0.0, 1.0, -1.0]},
        (1, 1, 1),
    )
    assert shown.maps["raw"].edges.tolist() == [0.0]
    assert not shown.maps["raw"].codes.any()


def test_a_preview_is_read_back_as_it_was_written_and_its_bytes_are_the_same(tmp_path):
    scan, brain, lesion, scores = scene()
    for name in ("a", "b"):
        shown = make_preview(
            {"flair": reduced_scan(scan, brain), "t1": reduced_scan(1 - scan, brain)},
            brain,
            lesion,
            {"raw": scores},
            {"raw": [1.0]},
            (1.0, 1.0, 1.0),
        )
        write_preview(tmp_path / "previews" / f"{name}.npz", shown)
    first, second = (tmp_path / "previews" / f"{name}.npz" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert list(find_previews(tmp_path)) == ["a", "b"]
    read = read_preview(first)
    assert list(read.scans) == ["flair", "t1"]
    for modality, image in shown.scans.items():
        assert np.array_equal(read.scans[modality], image)
    assert np.array_equal(read.maps["raw"].codes, shown.maps["raw"].codes)
    assert (read.spacing, read.origin, read.step) == (shown.spacing, shown.origin, shown.step)


def test_a_file_of_before_has_one_modality_without_a_name(tmp_path):
    scan, brain, lesion, scores = scene()
    image = reduced_scan(scan, brain)
    shown = make_preview({"flair": image}, brain, lesion, {"raw": scores}, {}, (1.0, 1.0, 1.0))
    arrays = {name: array for name, array in shown.arrays().items() if name != "modalities"}
    np.savez(tmp_path / "old.npz", **arrays)
    (found,) = read_preview(tmp_path / "old.npz").scans.items()
    assert found[0] == ""
    assert np.array_equal(found[1], image)


@pytest.mark.parametrize("shape", [(30, 26, 20), (2 * LONGEST + 30, 24, LONGEST + 40)])
def test_levels_that_were_kept_show_the_same_voxels_as_the_scan(shape):
    scan, brain, _, _ = scene(1, shape)
    view = view_of(replace(small_volume(), image=scan[None], brain=brain, modalities=("flair",)))
    shown = reduced_levels(view.images[0], view.box, brain)
    expected = reduced_scan(scan, brain)
    assert np.abs(shown.astype(int) - expected.astype(int)).max() <= 1  # rounded otherwise


def test_a_file_that_is_no_preview_is_named(tmp_path):
    scan, brain, lesion, scores = scene()
    shown = make_preview(
        {"flair": reduced_scan(scan, brain)}, brain, lesion, {"raw": scores}, {}, (1.0, 1.0, 1.0)
    )
    arrays = shown.arrays()
    broken = {
        "other shape": {**arrays, "mask": arrays["mask"][1:]},
        "falling edges": {**arrays, "edges/raw": arrays["edges/raw"][::-1]},
        "objects": {**arrays, "scan": np.array([{}], dtype=object)},
        "absent modality": {**arrays, "modalities": np.array(["flair", "t1"])},
        "one name twice": {**arrays, "modalities": np.array(["flair", "flair"])},
        "no spacing": {**arrays, "spacing": np.array([1.0, np.nan, 1.0])},
    }
    for name, content in broken.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **content)
        with pytest.raises(UserError, match=name):
            read_preview(path)
    huge = tmp_path / "huge.npz"
    with zipfile.ZipFile(huge, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan.npy", bytes(80 * 2**20))
    with pytest.raises(UserError, match="larger than any preview"):
        read_preview(huge)


def test_half_of_the_subjects_are_the_same_for_every_method_and_the_worst_is_among_the_rest():
    subjects = [f"S{k:03d}" for k in range(100)]
    volumes = {name: float(k % 37) for k, name in enumerate(subjects)}
    rng = np.random.default_rng(3)
    picks = []
    for _ in range(2):
        dice = dict(zip(subjects, rng.random(100).tolist(), strict=True))
        picked = choose(subjects, volumes, dice, 8)
        assert len(picked) == len(set(picked)) == 8
        assert picked == sorted(picked)
        rest = sorted(subjects, key=dice.__getitem__)
        assert rest[0] in picked
        assert rest[-1] in picked
        picks.append(set(picked))
    assert len(picks[0] & picks[1]) >= 4
    by_volume = sorted(subjects, key=lambda name: (volumes[name], name))
    assert {by_volume[0], by_volume[-1]} <= picks[0] & picks[1]
    assert choose(subjects[:5], volumes, {}, 8) == subjects[:5]


def test_a_run_leaves_previews_and_turning_them_off_measures_the_same_maps_again(
    cli, scans, tmp_path
):
    command = (
        *("run", "--method", "thresholding", "--alone", "--dataset", "folder"),
        *("--data-root", scans, *SMALL[:2]),
        *("--set", "evaluation.bootstraps=20", "--set", "evaluation.median=3"),
    )
    answer = cli(*command, "--set", "evaluation.previews=2")
    assert answer.code == 0, answer.err
    records = tmp_path / "workspace" / "records"
    (record,) = find_records(records).records
    found = find_previews(record.folder)
    assert len(found) == 2
    subject, path = next(iter(found.items()))
    shown = read_preview(path)
    assert list(shown.scans) == list(record.config["preprocessing"]["modalities"])
    (file,) = (tmp_path / "workspace" / "maps").glob(f"thresholding__*/{subject}.*npz")
    scored = MapStore(file.parent).load(file.stem)
    threshold = record.operating_points["median3"]["val-dice"].threshold
    filtered = PostProcessing(median=3).apply(scored.map, scored.brain, scored.spacing)
    (k,) = np.flatnonzero(shown.maps["median3"].edges == np.float32(threshold))
    detected = (filtered > np.float32(threshold)) & scored.brain
    assert np.array_equal(shown.maps["median3"].codes > k, kept(detected, shown))
    before = {p: p.read_bytes() for p in record.folder.rglob("*") if p.is_file()}

    assert cli(*command, "--set", "evaluation.previews=0").code == 0
    both = find_records(records).records
    assert len({r.run.maps for r in both}) == 1  # nothing was scored again
    (other,) = [r for r in both if r.folder != record.folder]
    assert find_previews(other.folder) == {}
    assert before == {p: p.read_bytes() for p in record.folder.rglob("*") if p.is_file()}
    (table,) = json.loads(cli("compare", "--json").out)["tables"]
    assert [row["label"] for row in table["rows"]] == ["thresholding"]
