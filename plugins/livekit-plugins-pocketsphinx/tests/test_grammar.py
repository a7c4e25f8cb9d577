from __future__ import annotations

import pytest
from livekit.plugins.pocketsphinx.grammar import automata, check, expected_counts


def grammar(rules: str) -> str:
    return f"#JSGF V1.0;\ngrammar desk;\n{rules}\n"


def count(rules: str, *words: str) -> float:
    counts = expected_counts(automata(grammar(rules)))
    return counts[len(words) - 1].get(words, 0.0)


def test_alternatives_share_the_probability_of_their_rule() -> None:
    rules = "public <day> = [on] (monday | tuesday);"
    assert count(rules, "monday") == pytest.approx(0.5)
    assert count(rules, "on", "tuesday") == pytest.approx(0.25)
    assert count(rules, "<s>", "on", "tuesday") == pytest.approx(0.25)
    assert count(rules, "<s>", "monday", "</s>") == pytest.approx(0.25)


def test_weights_are_obeyed() -> None:
    assert count("public <answer> = /3/ yes | /1/ no;", "yes") == pytest.approx(0.75, abs=1e-4)


def test_every_public_rule_is_one_sentence() -> None:
    rules = "<who> = john | mary; public <name> = it's <who>; public <greeting> = hello <who>;"
    assert count(rules, "</s>") == pytest.approx(2)
    assert count(rules, "john") == pytest.approx(1)


def test_a_loop_is_followed_until_nothing_is_left_of_the_sentence() -> None:
    # each further digit halves the probability: 1 + 1/2 + 1/4 ...
    assert count("public <number> = one+;", "one") == pytest.approx(2, abs=1e-6)
    assert count("public <number> = one+;", "one", "one", "one") == pytest.approx(0.5, abs=1e-6)


def test_recursion_at_the_right_end_is_a_loop_too() -> None:
    assert count("public <list> = and <item> [<list>]; <item> = tea | milk;", "tea") == pytest.approx(1, abs=1e-6)


def test_words_are_heard_in_lower_case() -> None:
    assert count("public <day> = Monday;", "monday") == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("public <a> = yes;", "header"),
        (grammar("<a> = yes;"), "no public rule"),
        (grammar("public <a> = <b> | <c>;"), "<b>, <c>"),
        (grammar("public <a> = (yes;"), "syntax"),
        (grammar("import <other.*>; public <a> = yes;"), "import"),
    ],
)
def test_a_wrong_grammar_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(text)


def test_comments_and_quoted_text_are_not_rules() -> None:
    assert check(grammar('public <a> = yes; // not <b>\n/* nor <c> */ public <d> = "no";')) == ("desk", ["a", "d"])


def test_a_rule_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="<a>"):
        expected_counts(automata(grammar("public <a> = yes <a>;")))
