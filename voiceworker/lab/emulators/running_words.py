"""The words of what is being said, piece by piece: for models that transcribe while they hear."""

from __future__ import annotations

from voiceworker.lab.audio import SAMPLE_RATE, Samples
from voiceworker.lab.emulators.hearing import Expectations
from voiceworker.lab.emulators.listening import ListenOptions
from voiceworker.lab.emulators.provider import Job
from voiceworker.lab.emulators.transcribing import Transcriber

_OPTIONS = ListenOptions(sample_rate=SAMPLE_RATE, interim_results=True, punctuate=True, filler_words=True)


class RunningWords:
    def __init__(self, expectations: Expectations, job: Job) -> None:
        self._expectations = expectations
        self._job = job
        self._final = ""
        self._told = ""
        self._transcriber = self._listen()

    def _listen(self) -> Transcriber:
        """Opened before all speech: it takes none for the rest of one whose beginning it has not heard."""
        job, late = self._job, self._job.faults.late_final_seconds
        return Transcriber(_OPTIONS, job.delays, self._expectations, job.log.api_key, 0.0, job.request_id, late)

    def hear(self, samples: Samples, now: float) -> str:
        """int16[samples] at 24 kHz. What is known now and was not before; mostly nothing."""
        self._transcriber.receive(samples, now)
        known = ""
        for sent in self._transcriber.send_due(now):
            known = f"{self._final} {sent.text}".strip()
            if sent.is_final:
                self._final = known
        if not known.startswith(self._told):
            return ""
        delta, self._told = known.removeprefix(self._told), known
        return delta

    def commit(self) -> str:
        """What has been told of the words up to here; what follows is another turn."""
        told, self._told, self._final = self._told, "", ""
        self._transcriber = self._listen()
        return told
