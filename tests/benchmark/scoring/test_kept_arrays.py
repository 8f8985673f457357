"""Arrays and what is said of them, in one file; a damaged one is named with what to do."""

import numpy as np
import pytest

from andi_bench.errors import UserError
from benchmark.scoring.kept_arrays import kept_arrays, said


def test_what_was_said_of_arrays_is_read_with_them(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, values=np.arange(3), meta=said({"box": [1, 2]}))
    with kept_arrays(path, "view", "make it again") as (arrays, meta):
        assert meta == {"box": [1, 2]}
        assert arrays["values"].tolist() == [0, 1, 2]
        assert "other" not in arrays


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "no meta", "array asked for"])
def test_a_damaged_file_is_one_line_with_the_remedy(tmp_path, damage):
    path = tmp_path / "a.npz"
    np.savez(path, values=np.arange(99), **({} if damage == "no meta" else {"meta": said({})}))
    if damage == "gone":
        path.unlink()
    elif damage in ("empty", "cut"):
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:150])
    with (
        pytest.raises(UserError, match=r"a.npz: damaged view \(.*\); delete it to make it again"),
        kept_arrays(path, "view", "make it again") as (arrays, _),
    ):
        arrays["absent" if damage == "array asked for" else "values"]
