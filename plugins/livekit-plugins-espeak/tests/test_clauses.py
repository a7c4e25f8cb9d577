import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.plugins.espeak.clauses import LONGEST_CLAUSE_CHARACTERS, ClauseCutter


def cut(*pieces: str) -> list[str]:
    cutter = ClauseCutter()
    clauses = [clause.text for piece in pieces for clause in cutter.push(piece)]
    return clauses + [clause.text for clause in cutter.flush()]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("On Monday, or Tuesday. Which day?", ["On Monday, ", "or Tuesday. ", "Which day?"]),
        ("It is 3:30 p.m. and costs $1,000.50 today.", ["It is 3:30 p.m. and costs $1,000.50 today."]),
        ("Until 5 p.m. Then we close.", ["Until 5 p.m. ", "Then we close."]),
        ("Dr. J. Smith of St. Mary, e.g. today.", ["Dr. J. Smith of St. Mary, ", "e.g. today."]),
        ('He said "stop." Then he left.', ['He said "stop." ', "Then he left."]),
        ("Write to a.b@c.com, please.", ["Write to a.b@c.com, ", "please."]),
        ("one\ntwo", ["one\n", "two"]),
        ("こんにちは。元気ですか。", ["こんにちは。", "元気ですか。"]),
        ("... !", ["... ", "!"]),
        ("", []),
    ],
)
def test_a_clause_ends_where_a_speaker_pauses(text: str, clauses: list[str]) -> None:
    assert cut(text) == clauses
    assert cut(*text) == clauses


def test_a_clause_leaves_with_the_space_after_its_mark() -> None:
    cutter = ClauseCutter()
    assert cutter.push("Good morning,") == []
    assert [clause.text for clause in cutter.push(" ")] == ["Good morning, "]


def test_a_run_without_punctuation_is_cut_at_a_space_and_says_so() -> None:
    cutter = ClauseCutter()
    clauses = cutter.push("word " * 100)
    assert all(not clause.complete and clause.text.endswith(" ") for clause in clauses)
    assert len(clauses) == 2


@given(st.lists(st.text(alphabet=st.sampled_from("ab1 .,!?:;\n\t\"'pmDr$—。😀")), max_size=30))
def test_nothing_is_lost_and_no_clause_is_too_long(pieces: list[str]) -> None:
    clauses = cut(*pieces)
    assert "".join(clauses) == "".join(pieces)
    assert all(0 < len(clause) <= LONGEST_CLAUSE_CHARACTERS + 1 for clause in clauses)


def test_text_without_any_space_is_cut_too() -> None:
    assert [len(clause) for clause in cut("x" * 1000)] == [240, 240, 240, 240, 40]
