"""A finished run as one folder: record, configuration, loss curve, figures, previews; from what scoring kept."""

import dataclasses

import numpy as np
import pytest
import yaml
from support.small_evaluation import CONFIG, TEST, VAL, scored
from support.small_facts import run_facts
from support.small_volumes import small_volume

from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.records.previews import find_previews, kept_slices, read_preview
from andi_bench.records.store import read_record, read_subjects
from benchmark.evaluation.paper_protocol import paper_run
from benchmark.evaluation.protocol import evaluate
from benchmark.recording import record_folder
from benchmark.recording.facts import LearningFacts
from benchmark.recording.record_folder import Kept, leave_record
from benchmark.recording.results import Results
from benchmark.scoring.expected_images import ExpectedImage
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.scan_views import ViewStore


class Expecting:
    """Expects every scan to be of one gray, and notes which slices it was asked for."""

    def __init__(self, kept):
        self.kept, self.asked = kept, {}

    def image(self, subject, slices):
        self.asked[subject] = set(slices)
        levels = np.full_like(self.kept.views.load(subject).images[0], 99)
        return ExpectedImage("flair", levels)


LOSS = "step,loss,learning_rate\n1,0.5,0.001\n2,0.25,0.001\n"


@pytest.fixture(scope="module")
def results():
    working = evaluate(scored, VAL, TEST, CONFIG, workers=1)
    return Results(working, paper=paper_run(scored, TEST, CONFIG, None))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Maps and views of the reported subjects; figures are drawn of the first."""
    monkeypatch.setattr(record_folder, "FIGURE_SUBJECTS", 1)
    found = Kept(MapStore(tmp_path / "maps"), ViewStore(tmp_path / "views"))
    for name in TEST:
        subject = scored(name)
        found.maps.save(subject)
        volume = small_volume(name, shape=(16, 14, 10))
        found.views.keep(dataclasses.replace(volume, brain=subject.brain))
    return found


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take most of the time, and are looked at once."""
    monkeypatch.setattr(record_folder, "FIGURE_SUBJECTS", 0)
    for name in ("pr_curve", "dice_curves", "loss_curve"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)


def facts(folder, previews=2):
    curve = folder / "training" / "loss.csv"
    curve.parent.mkdir()
    curve.write_text(LOSS)
    config = RunConfig(evaluation=CONFIG.model_copy(update={"previews": previews}))
    learning = LearningFacts("trained", "phantom", curve=curve)
    return run_facts(learning, config=config)


def test_everything_that_a_reader_needs_lies_in_the_folder(tmp_path, results, kept):
    said = facts(tmp_path)
    folder = leave_record(tmp_path / "records", said, results, kept)
    record = read_record(folder)
    assert record.run == said.info
    assert len(read_subjects(folder)) == len(results.working.subjects)
    assert yaml.safe_load((folder / "config.yaml").read_text()) == said.resolved_config()
    assert (folder / "loss.csv").read_text() == LOSS
    assert {path.name for path in (folder / "figures").iterdir()} == {
        *("loss.png", "precision-recall.png", "dice-threshold.png"),
        *("t0_raw.png", "t0_median3.png"),
    }
    assert len(find_previews(folder)) == 2
    assert set(find_previews(folder)) <= set(TEST)
    files = results.paper.files("a-method")
    assert {name: (folder / name).read_text() for name in files} == files


def test_without_a_training_and_without_previews_these_are_left_out(
    tmp_path, results, kept, undrawn
):
    said = dataclasses.replace(facts(tmp_path, previews=0), learning=LearningFacts("elsewhere"))
    folder = leave_record(tmp_path / "records", said, results, kept)
    assert not (folder / "loss.csv").exists()
    assert find_previews(folder) == {}


def test_previews_are_chosen_where_no_threshold_is_frozen(tmp_path, kept, undrawn):
    unfrozen = Results(evaluate(scored, [], TEST, CONFIG, workers=1))
    folder = leave_record(tmp_path / "records", facts(tmp_path), unfrozen, kept)
    assert len(find_previews(folder)) == 2


def test_a_kept_file_that_is_damaged_leaves_no_record(tmp_path, results, kept, undrawn):
    for name in TEST:
        kept.views.path(name).write_bytes(b"x")
    with pytest.raises(UserError, match="damaged view"):
        leave_record(tmp_path / "records", facts(tmp_path), results, kept)
    records = tmp_path / "records"
    assert not records.exists() or [p for p in records.iterdir() if p.name[0] != "."] == []


@pytest.mark.parametrize(("calls", "everywhere"), [(10, True), (2500, False)])
def test_what_a_method_expects_is_in_montages_and_where_it_is_quick_in_previews(
    tmp_path, results, kept, monkeypatch, calls, everywhere
):
    drawn = {}
    monkeypatch.setattr(
        record_folder, "montage", lambda path, *arguments: drawn.update({path.name: arguments[-1]})
    )
    for name in ("pr_curve", "dice_curves", "loss_curve"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)
    for name in TEST:
        costs = {"network_calls": calls, "slices": 10}
        kept.maps.save(dataclasses.replace(scored(name), costs=costs))
    expecting = Expecting(kept)
    with_images = dataclasses.replace(kept, expecter=expecting)
    folder = leave_record(tmp_path / "records", facts(tmp_path), results, with_images)
    assert {image.modality for image in drawn.values()} == {"flair"}
    previews = {name: read_preview(path) for name, path in find_previews(folder).items()}
    assert set(expecting.asked) == {"t0", *(previews if everywhere else ())}
    assert len(expecting.asked["t0"]) <= (10 if everywhere else 6)
    for name, preview in previews.items():
        assert ("expected (flair)" in preview.scans) == everywhere
        if everywhere:
            assert set(kept_slices(scored(name).brain)) <= expecting.asked[name]
            assert list(preview.scans)[-1] == "expected (flair)"
            assert 99 in preview.scans["expected (flair)"]


def test_an_image_that_cannot_be_made_is_said_and_costs_no_record(tmp_path, results, kept, undrawn):
    class Failing:
        asked, notes = 0, ()

        def image(self, subject, slices):
            self.asked += 1
            raise UserError(f"method 'x', subject {subject}: no expected image: out of memory")

        def note(self, text):
            self.notes += (text,)

    failing, console = Failing(), Console(quiet=True)
    console.note = failing.note
    said = facts(tmp_path)
    without = leave_record(tmp_path / "without", said, results, kept)
    seen = dataclasses.replace(kept, expecter=failing)
    folder = leave_record(tmp_path / "records", said, results, seen, console)
    assert failing.asked == 1
    assert "out of memory" in failing.notes[0]
    assert {p: path.read_bytes() for p, path in find_previews(folder).items()} == {
        p: path.read_bytes() for p, path in find_previews(without).items()
    }
