"""What stages took lies beside a record; a file that is damaged says nothing."""

from andi_bench.records.times import SCORING, TIMES, read_times, write_times


def test_a_file_of_times_that_is_damaged_says_nothing(tmp_path):
    write_times(tmp_path, {SCORING: 1.25})
    assert read_times(tmp_path) == {SCORING: 1.2}
    for text in ("{", "[]", '{"scoring": "long"}'):
        (tmp_path / TIMES).write_text(text)
        assert read_times(tmp_path) == {}
    assert read_times(None) == {}
