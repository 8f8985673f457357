"""``gather`` by the command line."""

import json

from support.mixed_records import mixed_record

from benchmark.cli.app import COMMANDS
from benchmark.cli.finished.gather import gather


def test_gathered_records_are_printed_and_refusals_end_with_one(cli, tmp_path):
    assert COMMANDS["gather"] is gather
    folder = mixed_record(tmp_path / "theirs" / "records", "a", 3.0)
    done = cli("gather", tmp_path / "theirs", "--json")
    assert done.code == 0
    assert len(json.loads(done.out)["copied"]) == 1
    assert "1 copied, 0 there already, 0 not copied" in done.err
    assert cli("gather", tmp_path / "theirs").out == ""
    (folder / "subjects.csv").write_text("")
    refused = cli("gather", tmp_path / "theirs", "--workspace", tmp_path / "other")
    assert refused.code == 1
    assert "not copied" in refused.err
