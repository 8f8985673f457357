"""A run uses the modalities that its configuration names, and every scan must have them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_volumes import Brightness

from andi_bench.config import PreprocessingConfig, RunConfig, ScoringConfig
from andi_bench.errors import UserError
from benchmark.run.modalities import require_modalities, require_reducible
from datasets.subject import Subject
from datasets.volume import MODALITIES


def person(name, *modalities):
    return Subject(name, {m: Path(m) for m in modalities})


def refusal(*arguments):
    with pytest.raises(UserError) as caught:
        require_modalities(*arguments)
    return str(caught.value)


def test_who_lacks_what_and_which_subset_would_do_is_said():
    groups = {
        "here": [person("A", "flair", "t1"), person("B", "flair", "t1", "t2")],
        "there": [person("C", *MODALITIES)],
    }
    text = refusal(("flair", "t1", "t2"), groups, "dae")
    said = "data set 'here': subject A lacks t2 (1 of 2 subjects lacks one of flair, t1, t2)"
    assert said in text
    assert "--set preprocessing.modalities=[flair,t1] uses what is there for all" in text

    both = {"here": [person("A", "flair"), person("B", "t1", "t2")]}
    assert "(2 of 2 subjects lack one of flair, t1, t2)" in refusal(("flair", "t1", "t2"), both)


def test_a_method_must_find_what_it_needs_in_the_configuration_and_in_the_scans():
    assert "method 'm' needs the modality t2: preprocessing.modalities names flair" in refusal(
        ("flair",), {}, "m", ("t2",)
    )
    groups = {"here": [person("A", "flair")]}
    text = refusal(("flair", "t2"), groups, "m", ("t2",))
    assert "only flair is there for all, and method 'm' needs t2" in text


def test_scans_with_nothing_in_common_cannot_be_used_together():
    groups = {"here": [person("A", "flair"), person("B", "t1")]}
    assert "no modality is there for all, one or more wanted" in refusal(("flair", "t1"), groups)


sets = st.sets(st.sampled_from(MODALITIES), min_size=1)


@given(wanted=sets, scans=st.lists(sets, max_size=4))
def test_a_run_is_refused_exactly_where_a_scan_lacks_something(wanted, scans):
    groups = {"here": [person(f"S{k}", *found) for k, found in enumerate(scans)]}
    if all(wanted <= found for found in scans):
        require_modalities(sorted(wanted), groups)
    else:
        assert "lacks" in refusal(sorted(wanted), groups)


def test_scores_outside_the_brain_are_not_to_be_had_of_a_box():
    outside = ScoringConfig(published_outside=True)
    require_reducible(Brightness, RunConfig(scoring=outside))
    boxed = RunConfig(scoring=outside, preprocessing=PreprocessingConfig(crop="brain"))
    with pytest.raises(UserError, match=r"published_outside = true .*crop = none wanted"):
        require_reducible(Brightness, boxed)
