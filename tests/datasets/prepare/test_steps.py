"""What all steps share: who was made, who was there, who failed; and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andi_bench.errors import UserError
from datasets.prepare.sidecar import Preparation
from datasets.prepare.step import FoundSubject, made_unless_current, run_step

OUTCOMES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4), st.sampled_from(["made", "kept", "failed"])
)


@given(outcomes=OUTCOMES)
def test_every_subject_is_made_or_kept_or_failed(outcomes):
    def task(subject):
        if outcomes[subject.id] == "failed":
            raise UserError(f"{subject.id} is broken")
        return outcomes[subject.id] == "made"

    seen = []
    items = [FoundSubject(name, {}) for name in outcomes]
    done = run_step("working", task, items, 1, lambda title, k, n: seen.append((title, k, n)))
    of = {kind: sorted(n for n, found in outcomes.items() if found == kind) for kind in OF}
    assert list(done.made) == of["made"]
    assert list(done.kept) == of["kept"]
    assert [(f.subject, f.reason) for f in done.failures] == [
        (name, f"{name} is broken") for name in of["failed"]
    ]
    assert seen == [("working", k + 1, len(items)) for k in range(len(items))]


OF = ("made", "kept", "failed")


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "A"
    found.mkdir()
    Preparation(subject="A", person="A", files={}).write(found)
    return found


@pytest.mark.parametrize(("current", "made"), [(True, False), (False, True)])
def test_a_folder_is_made_unless_it_is_as_it_would_be(folder, current, made):
    calls = []
    done = made_unless_current(
        folder, lambda found: current and found.subject == "A", lambda: calls.append(1)
    )
    assert (done, len(calls)) == (made, int(made))


def test_a_folder_that_is_not_there_is_made_without_asking(tmp_path):
    calls = []

    def never(found):
        raise AssertionError

    assert made_unless_current(tmp_path / "new", never, lambda: calls.append(1))
    assert calls == [1]


def test_what_no_preparation_left_stays_as_it_is(tmp_path, folder):
    (tmp_path / "B").mkdir()
    calls = []
    with pytest.raises(UserError, match="B is not from a preparation: left alone"):
        made_unless_current(tmp_path / "B", lambda found: True, lambda: calls.append(1))
    (folder / "preparation.json").write_text("{")
    with pytest.raises(UserError, match="preparation.json: damaged"):
        made_unless_current(folder, lambda found: True, lambda: calls.append(1))
    assert calls == []
