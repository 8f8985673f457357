"""Hyper-parameters that came later: at their default they name nothing, and what was made before is found again."""

from andi_bench.section import EVERY_FIELD
from methods.base import DetectorConfig, Field, ImageSpec, scoring_field
from methods.baselines.autoddpm import AutoDDPM, AutoDDPMConfig
from methods.hyper_parameters import later_scoring_field, read_by_training


class Grown(DetectorConfig):
    learnt: int = Field(1)
    scored: int = scoring_field(2)
    later: bool = later_scoring_field(False)


def test_at_its_default_a_later_field_stands_in_no_dump_and_else_in_every_one():
    assert Grown().model_dump(mode="json") == {"learnt": 1, "scored": 2}
    assert Grown(later=True).model_dump(mode="json") == {"learnt": 1, "scored": 2, "later": True}
    assert Grown.model_validate(Grown(later=True).model_dump()) == Grown(later=True)
    assert Grown().model_dump(context=EVERY_FIELD) == {"learnt": 1, "scored": 2, "later": False}


def test_a_training_depends_on_no_field_of_scoring():
    assert [name for name in Grown.model_fields if read_by_training(Grown, name)] == ["learnt"]
    plain, later = (
        AutoDDPM(AutoDDPMConfig(published_stop=on), ImageSpec(("flair",), (16, 16)))
        for on in (False, True)
    )
    assert plain.training_config() == later.training_config()
    assert plain.config.revision() == {}
