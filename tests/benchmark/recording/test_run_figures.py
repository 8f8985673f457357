"""Figures: upright and radiological, outlines where the masks are, the same bytes from the same data."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from andi_bench.errors import UserError
from benchmark.recording.montage import DETECTION, LESION
from benchmark.recording.montage import montage as draw
from benchmark.recording.run_figures import loss_curve, pr_curve
from benchmark.scoring.expected_images import ExpectedImage
from benchmark.scoring.scan_views import view_of
from benchmark.scoring.subjects import scored_subject
from datasets.volume import NativeGrid, Volume


def make_volume(
    lesion: bool | None = True,
    modalities: tuple[str, ...] = ("flair", "t1", "t1ce", "t2"),
    shape: tuple[int, int, int] = (40, 48, 12),
) -> Volume:
    """A box-shaped brain whose left anterior quarter is bright; the lesion lies right posterior."""
    x, y, _ = shape
    brain = np.zeros(shape, dtype=bool)
    brain[4:-4, 4:-4] = True
    image = np.where(brain, 0.4, 0).astype(np.float32)[None].repeat(len(modalities), axis=0)
    image[:, x // 2 : -4, 4 : y // 2] = 0.8  # LPS: x runs to the left, y to posterior
    image[:, 8:14, y - 14 : y - 8] = 1.0
    mask = None
    if lesion is not None:
        mask = np.zeros(shape, dtype=bool)
        mask[8:14, y - 14 : y - 8, 4:6] = lesion
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    native = NativeGrid(shape, affine, np.zeros((3, 2)), ((0, 0), (0, 0)))
    return Volume("S1", image, brain, mask, affine, native, modalities)


def montage(
    path: Path,
    volume: Volume,
    scores: np.ndarray,
    threshold: float | None,
    title: str = "",
    expected: ExpectedImage | None = None,
) -> None:
    draw(path, view_of(volume), scored_subject(volume, scores), scores, threshold, title, expected)


def make_map(volume: Volume) -> np.ndarray:
    scores = np.where(volume.brain, 0.1, 0).astype(np.float32)
    if volume.lesion is not None:
        scores[volume.lesion] = 0.9
    return scores


def pixels(path: Path) -> np.ndarray:
    return matplotlib.image.imread(path)[..., :3]


def outlined(picture: np.ndarray, color: str) -> np.ndarray:
    """Pixels (line, column) of an outline's hue in the last column of panels, which is gray else."""
    h, w = picture.shape[:2]
    red, blue = (int(color[i : i + 2], 16) for i in (1, 5))
    warmth = (picture[..., 0] - picture[..., 2]) * np.sign(red - blue)
    warmth[: h // 20] = warmth[-h // 20 :] = warmth[:, : int(0.8 * w)] = warmth[
        :, int(0.96 * w) :
    ] = 0
    return np.argwhere(warmth > 0.2)


def first_panel(picture: np.ndarray) -> np.ndarray:
    """The FLAIR panel of the first row: the first runs of lines and columns that are not all white."""
    filled = (picture < 0.95).any(axis=-1)
    lines = np.flatnonzero(filled.mean(axis=1) > 0.7)
    bottom = lines[np.argmax(np.diff(lines) > 1)] + 1
    columns = np.flatnonzero(filled[lines[0] : bottom].mean(axis=0) > 0.7)
    right = columns[np.argmax(np.diff(columns) > 1)] + 1
    return picture[lines[0] : bottom, columns[0] : right, 0]


def test_anterior_is_up_and_the_patients_left_is_on_the_right(tmp_path: Path) -> None:
    volume = make_volume()
    montage(tmp_path / "m.png", volume, make_map(volume), 0.5)
    panel = first_panel(pixels(tmp_path / "m.png"))
    h, w = panel.shape
    assert h / w == pytest.approx(46 / 38, abs=0.05)  # brain box of 32x40 voxels, 3 around
    quarters = {
        (v, u): panel[v * h // 2 : (v + 1) * h // 2, u * w // 2 : (u + 1) * w // 2].mean()
        for v in (0, 1)
        for u in (0, 1)
    }
    assert max(quarters, key=quarters.__getitem__) == (0, 1)


def test_what_was_expected_of_a_scan_stands_in_a_column_of_its_own(tmp_path: Path) -> None:
    volume = make_volume(modalities=("flair",))
    levels = np.full(view_of(volume).images[0].shape, 255, np.uint8)
    levels[:, levels.shape[1] // 2 :] = 51
    montage(tmp_path / "without.png", volume, make_map(volume), 0.5)
    montage(
        tmp_path / "with.png", volume, make_map(volume), 0.5, "", ExpectedImage("flair", levels)
    )
    without, picture = pixels(tmp_path / "without.png"), pixels(tmp_path / "with.png")
    assert picture.shape[0] == without.shape[0]
    width = picture.shape[1] - without.shape[1]  # of a column, with its gap
    dark = (np.abs(picture - 0.2) < 0.01).all(
        axis=-1
    )  # the image's lower half, in each of three rows
    found = np.flatnonzero(dark.sum(axis=0) > 0.3 * len(picture))
    assert 0.9 * width < len(found) <= width
    assert width < found[0] < found[-1] < 2.3 * width  # second of all columns, behind a margin


def test_the_outlines_lie_around_the_masks(tmp_path: Path) -> None:
    volume = make_volume()
    scores = make_map(volume)
    scores[8:10] = 0.1  # a third of the lesion is missed
    scores[24:30, 8:14, 4:6] = 0.9  # a false positive, left anterior
    montage(tmp_path / "m.png", volume, scores, 0.5)
    picture = pixels(tmp_path / "m.png")
    middle = slice(*(np.array([1, 2]) * len(picture) // 3))  # the second of three slices
    lesion, detection = (outlined(picture, color) for color in (LESION, DETECTION))
    lesion, detection = (
        found[(found[:, 0] >= middle.start) & (found[:, 0] < middle.stop)]
        for found in (lesion, detection)
    )
    assert len(lesion) > 20
    assert len(detection) > 40
    # right posterior is low on the left of the panel, left anterior high on the right
    upper = detection[detection[:, 0] < lesion[:, 0].min()]
    assert len(upper) > 20
    assert upper[:, 1].min() > lesion[:, 1].max()


@pytest.mark.parametrize(
    ("volume", "threshold"),
    [
        (make_volume(lesion=None), 0.5),
        (make_volume(lesion=None), None),
        (make_volume(lesion=False), 0.05),
        (make_volume(modalities=("flair",)), 0.5),
        (make_volume(shape=(40, 48, 1)), 0.5),
        (make_volume(), float("inf")),
        (make_volume(), -1.0),
    ],
    ids=[
        "no mask",
        "no threshold",
        "lesion-free",
        "one modality",
        "one slice",
        "infinite",
        "negative",
    ],
)
def test_every_kind_of_subject_is_drawn(
    tmp_path: Path, volume: Volume, threshold: float | None
) -> None:
    montage(tmp_path / "m.png", volume, make_map(volume), threshold, "title")
    assert pixels(tmp_path / "m.png").std() > 0.05


def test_an_empty_brain_and_a_constant_map_are_drawn(tmp_path: Path) -> None:
    volume = make_volume()
    volume.brain[:] = False
    montage(tmp_path / "m.png", volume, np.zeros(volume.shape, np.float32), 0.0)
    assert (tmp_path / "m.png").is_file()


def test_the_same_data_give_the_same_bytes_whatever_the_users_style(tmp_path: Path) -> None:
    volume = make_volume()
    csv = tmp_path / "loss.csv"
    csv.write_text("step,loss\n" + "".join(f"{k},{1 / k}\n" for k in range(1, 99)))
    curve = {"ANDi": ([0.0, 0.5, 1.0], [1.0, 0.8, 0.1], 0.7)}
    for name in ("a", "b"):
        montage(tmp_path / f"m{name}.png", volume, make_map(volume), 0.5, "x")
        pr_curve(tmp_path / f"p{name}.png", curve, 0.02, "x")
        loss_curve(tmp_path / f"l{name}.png", csv, "x")
        matplotlib.rcParams["font.size"] = 17
    matplotlib.rcdefaults()
    for kind in "mpl":
        assert (tmp_path / f"{kind}a.png").read_bytes() == (tmp_path / f"{kind}b.png").read_bytes()
    assert b"matplotlib" not in (tmp_path / "ma.png").read_bytes().lower()


def test_the_map_must_fit_the_scan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"map of shape \(2, 2, 2\), \(40, 48, 12\) wanted"):
        montage(tmp_path / "m.png", make_volume(), np.zeros((2, 2, 2), np.float32), 0.5)


def test_a_curve_of_a_million_points_is_drawn_in_its_place(tmp_path: Path) -> None:
    recall = np.linspace(0, 1, 1_000_000)
    pr_curve(tmp_path / "many.png", {"a": (recall, 1 - recall, 0.5)}, None)
    pr_curve(tmp_path / "few.png", {"a": (recall[::1000], 1 - recall[::1000], 0.5)}, None)
    difference = np.abs(pixels(tmp_path / "many.png") - pixels(tmp_path / "few.png"))
    assert difference.mean() < 0.002


def test_curves_without_points_or_prevalence_are_no_error(tmp_path: Path) -> None:
    pr_curve(tmp_path / "p.png", {}, None)
    pr_curve(tmp_path / "q.png", {"a": ([], [], None)}, 0.1)
    assert (tmp_path / "q.png").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step,los\n1,2\n", "no column 'loss'"),
        ("step,loss\n1,x\n", "must be numbers"),
        ("step,loss\n1\n", "must be numbers"),
    ],
)
def test_a_damaged_loss_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "loss.csv").write_text(text)
    with pytest.raises(UserError, match=rf"loss\.csv: .*{message}"):
        loss_curve(tmp_path / "l.png", tmp_path / "loss.csv")
    assert not (tmp_path / "l.png").exists()


def test_short_and_absent_losses(tmp_path: Path) -> None:
    (tmp_path / "loss.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    loss_curve(tmp_path / "l.png", tmp_path / "loss.csv")
    (tmp_path / "loss.csv").write_text("step,loss\n")
    loss_curve(tmp_path / "l.png", tmp_path / "loss.csv")
    with pytest.raises(UserError, match="cannot be read"):
        loss_curve(tmp_path / "l.png", tmp_path / "absent.csv")


def test_a_figure_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"p\.png: cannot be written"):
        pr_curve(tmp_path / "file" / "p.png", {}, None)
