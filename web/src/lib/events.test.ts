import { expect, it } from "vitest";

import { parseEvent } from "./events";

const HEAD = { session: "ses_1", sequence: 17, time: "2026-01-05T09:00:00.000+00:00" };

function parsed(fields: object) {
  return parseEvent(JSON.stringify({ ...HEAD, ...fields }));
}

it("reads the time to the first audio", () => {
  expect(parsed({ type: "agent.speech_started", first_audio_ms: 870, parts: { commit: 500, transit: 370 } })).toEqual({
    type: "agent.speech_started",
    latency: {
      totalMs: 870,
      parts: [
        { name: "commit", ms: 500 },
        { name: "transit", ms: 370 },
      ],
    },
  });
});

it.each([null, undefined, "870", -1])("takes a first_audio_ms of %s for speech unasked", (value) => {
  expect(parsed({ type: "agent.speech_started", first_audio_ms: value })).toEqual({ type: "agent.speech_started" });
});

it("reads what was heard and what was not", () => {
  expect(parsed({ type: "agent.interrupted", heard_text: "We are", unheard_text: "" })).toEqual({
    type: "agent.interrupted",
    heardText: "We are",
    unheardText: "",
  });
});

it.each(["agent.ducked", "agent.speech_stopped"])("reads %s", (type) => {
  expect(parsed({ type })).toEqual({ type });
});

it("reads that the agent goes on as before, for whatever reason", () => {
  expect(parsed({ type: "agent.restored", reason: "invented_tomorrow" })).toEqual({ type: "agent.restored" });
});

it("reads what the call has cost", () => {
  const used = { type: "usage.updated", seconds: 3.2, tokens: 410, characters: 96 };
  expect(parsed({ ...used, cost: "0.012300000", currency: "USD" })).toEqual({
    type: "usage.updated",
    cost: { amount: 0.0123, currency: "USD" },
  });
  expect(parsed({ ...used, cost: 0.0123, currency: "USD" })).toBeUndefined();
});

it("reads why a session ended and where something failed", () => {
  expect(parsed({ type: "session.ended", reason: "agent_hung_up" })).toEqual({ type: "session.ended", reason: "agent_hung_up" });
  expect(parsed({ type: "error", where: "tts", message: "TimeoutError" })).toEqual({ type: "error", where: "tts" });
});

it.each([
  "",
  "not json",
  "[]",
  "null",
  '{"type": 4}',
  '{"type": "agent.interrupted", "heard_text": 4, "unheard_text": ""}',
  '{"type": "session.ended"}',
  '{"type": "error"}',
  '{"type": "user.speech_started"}',
  '{"type": "turn.committed", "eagerness": "auto", "end_of_turn_probability": null, "waited_ms": 320}',
  '{"type": "invented.tomorrow"}',
])("ignores %j", (text) => {
  expect(parseEvent(text)).toBeUndefined();
});
