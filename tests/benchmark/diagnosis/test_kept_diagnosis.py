"""What was counted before is read back by region; what is absent or damaged tells nothing."""

import json

from support.page_records import write_run

from andi_bench.records.store import read_record
from andi_bench.workspace import Workspace
from benchmark.diagnosis.kept_diagnosis import FILE, regions_found


def test_regions_are_summed_over_subjects_of_one_chain(tmp_path):
    place = Workspace.at(tmp_path)
    run = read_record(write_run(place.records, "mine"))
    assert regions_found(run, place, "raw") == {}
    folder = place.diagnoses / run.folder.name
    folder.mkdir(parents=True)

    def counted(chain, **ml):
        regions = {
            name: {"false_positive_ml": value, "healthy_ml": 1} for name, value in ml.items()
        }
        return {"chain": chain, "regions": regions}

    subjects = [counted("raw", rim=1.5, other=1), counted("raw", rim=2), counted("median5", rim=9)]
    (folder / FILE).write_text(json.dumps({"subjects": subjects}))
    assert regions_found(run, place, "raw") == {"rim": 3.5, "other": 1.0}
    (folder / FILE).write_text("{")
    assert regions_found(run, place, "raw") == {}
