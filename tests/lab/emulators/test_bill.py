from __future__ import annotations

from voiceworker.lab.emulators.bill import Account, Bill


def test_accounts_are_summed_over_what_is_not_given() -> None:
    bill = Bill()
    bill.account("a", "stt").audio_seconds += 1.5
    bill.account("a", "llm").prompt_tokens += 7
    bill.account("b", "llm").prompt_tokens += 3
    bill.account("b", "llm").cancelled_requests += 1
    assert bill.total("llm") == Account(prompt_tokens=10, cancelled_requests=1)
    assert bill.total(api_key="a") == Account(audio_seconds=1.5, prompt_tokens=7)
    assert bill.total("tts") == Account()
    assert [(key, role) for key, role, _ in bill] == [("a", "llm"), ("a", "stt"), ("b", "llm")]


def test_what_has_come_since_is_told_by_a_copy() -> None:
    account = Account(requests=2, characters=10)
    before = account + Account()
    account.characters += 5
    assert account - before == Account(characters=5)
