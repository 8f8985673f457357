"""What every adapter gets for nothing, and what it is refused for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from support.small_heads import write_subject

from andi_bench.config import names_in
from andi_bench.errors import UserError
from datasets.adapters.base import DatasetAdapter
from datasets.adapters.catalogue import open_dataset
from datasets.adapters.folder import FolderAdapter
from datasets.subject import Subject


class Given(DatasetAdapter):
    """Subjects that a test gives."""

    given: Iterable[Subject] = ()

    def find_subjects(self) -> Iterable[Subject]:
        return self.given


def adapter_of(*subjects: Subject) -> Given:
    adapter = Given("mine", Path("/nowhere"))
    adapter.given = subjects
    return adapter


def test_subjects_come_sorted_with_what_the_adapter_and_the_split_know_of_them(tmp_path) -> None:
    adapter = Given("mine", tmp_path)
    flair = {"flair": tmp_path / "x.nii.gz"}
    adapter.given = [
        Subject("b", flair, site="Kyiv", attributes={"age": "61", "sex": "F"}),
        Subject("a", flair),
    ]
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "scans_test.csv").write_text("id,age\nb,62\na,\n")
    first, second = adapter.subjects()
    assert (first.id, second.id) == ("a", "b")
    assert second.attributes == {"age": "62", "sex": "F"}
    assert second.site == "Kyiv"
    assert [s.id for s in adapter.subjects_in("test")] == ["b", "a"]


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        ((), "no subject in /nowhere"),
        ((Subject("a", {"t1": Path("x")}), Subject("a", {"t1": Path("y")})), "a is found twice"),
        ((Subject("a", {}),), "subject a has no modality: some of flair, t1, t1ce, t2 wanted"),
        ((Subject("a", {"T1": Path("x")}),), "subject a has modality 'T1': some of flair"),
    ],
)
def test_what_would_go_wrong_later_is_refused_at_once_in_one_line(subjects, words) -> None:
    with pytest.raises(UserError, match=words) as caught:
        adapter_of(*subjects).prepare()
    assert "\n" not in str(caught.value)


def test_a_data_set_of_this_package_adds_nothing_to_an_identity_as_it_is_configured(tmp_path):
    for name in names_in("datasets"):
        assert open_dataset(name, tmp_path, tmp_path).revision() == {}


def test_an_adapter_from_outside_and_options_that_change_what_a_mask_means_do(tmp_path) -> None:
    assert set(Given("mine", tmp_path).revision()) == {"adapter"}
    write_subject(tmp_path, "a")
    changed = FolderAdapter("folder", tmp_path, {"missing_mask": "healthy"})
    assert changed.revision() == {"adapter_options": {"missing_mask": "healthy"}}
    shares = FolderAdapter("folder", tmp_path, {"split_fractions": [0.5, 0.25, 0.25]})
    assert shares.revision() == {}
