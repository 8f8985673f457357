"""Hyphenated words are kept whole, everything else is as it was, and nothing of it is markup."""

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from leaderboard.exports.page.whole_words import LONGEST, whole_words


def test_a_name_with_a_hyphen_is_kept_whole_and_a_long_or_plain_word_is_not():
    kept = '<span class="whole">voxel-statistics,</span>'
    assert whole_words("andi, voxel-statistics, 0.1 - 0.2, -3") == f"andi, {kept} 0.1 - 0.2, -3"
    long = f"{'a' * LONGEST}-b"
    assert whole_words(long) == long


@given(st.text(alphabet="ab-<>&\" '\u00a0"))
def test_without_its_marks_it_is_the_escaped_text(text):
    said = str(whole_words(text))
    assert said.replace('<span class="whole">', "").replace("</span>", "") == escape(text)
