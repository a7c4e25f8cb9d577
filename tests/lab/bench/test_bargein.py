from voiceworker.lab.bench.bargein import BargeIn, report


def trial(system: str, number: int, onset: float, **values: object) -> BargeIn:
    found = BargeIn(number, system, onset, onset == 0.8, "stop")
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_the_duck_of_ours_stands_beside_the_silence_of_the_peer() -> None:
    trials = []
    for number in range(12):
        trials.append(trial("ours", number, 1.5, duck=0.18, silence=0.45, heard_error_words=0, alternates=True))
        trials.append(trial("livekit", number, 1.5, duck=0.70, silence=0.70, heard_error_words=2, alternates=True))
        trials.append(trial("ours", number, 0.8, duck=0.18, silence=0.45))
        trials.append(trial("livekit", number, 0.8, duck=2.5, silence=2.5))
    lines = {(line.metric, line.peer): line for line in report(trials, {}).lines}
    duck = lines["time to duck, beside its time to silence", "livekit"]
    assert (duck.ours, duck.theirs, duck.interval.pairs, duck.verdict) == ("180 ms", "700 ms", 12, "met")
    assert lines["time to silence", "livekit"].verdict == "met"
    assert lines["time to silence, 0.8 s into the first reply", "livekit"].verdict == "met"
    assert lines["heard-text error, p95 (words)", "ours"].verdict == "met"
    assert lines["heard-text error, p95 (words)", "livekit"].ours == "2.0"


def test_an_agent_that_does_not_stop_or_answer_is_seen() -> None:
    trials = [trial("ours", 0, 1.5, silence=14.0), trial("ours", 1, 1.5, silence=0.4, next_v2v=0.8, stale_words=2)]
    lines = {line.metric: line.ours for line in report(trials, {}).lines}
    assert lines["silent within 2 s"] == "1 of 2"
    assert lines["answered"] == "1 of 2"
    assert lines["no stale word after the silence"] == "1 of 2"
