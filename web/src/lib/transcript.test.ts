import { describe, expect, it } from "vitest";

import { emptyTranscript, reduceTranscript, type Transcript, type TranscriptAction } from "./transcript";

function after(...actions: TranscriptAction[]): Transcript {
  return actions.reduce(reduceTranscript, emptyTranscript);
}

function agentSays(id: string, text: string, final = false): TranscriptAction {
  return { type: "segment", id, speaker: "agent", text, final };
}

function callerSays(id: string, text: string, final = false): TranscriptAction {
  return { type: "segment", id, speaker: "caller", text, final };
}

function speechStarted(firstAudioMs?: number): TranscriptAction {
  return {
    type: "event",
    event: {
      type: "agent.speech_started",
      ...(firstAudioMs === undefined ? {} : { latency: { totalMs: firstAudioMs, parts: [] } }),
    },
  };
}

function interrupted(heardText: string, unheardText: string): TranscriptAction {
  return { type: "event", event: { type: "agent.interrupted", heardText, unheardText } };
}

describe("the words of both sides", () => {
  it("are renewed in place while a segment grows", () => {
    const { lines } = after(callerSays("s1", "when"), callerSays("s1", "when are you"), callerSays("s1", "When are you open?", true));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ speaker: "caller", text: "When are you open?", final: true });
  });

  it("keep the order in which they began", () => {
    const { lines } = after(callerSays("c", "hello"), agentSays("a", "Good"), callerSays("c", "hello there", true));
    expect(lines.map((line) => line.id)).toEqual(["c", "a"]);
  });

  it("are complete when the stream of the agent's sentence closes", () => {
    const { lines } = after(agentSays("a", "Good morning."), { type: "segment.closed", id: "a" });
    expect(lines[0]?.final).toBe(true);
  });

  it("leave no line while there is nothing but blanks", () => {
    expect(after(agentSays("a", " ")).lines).toEqual([]);
  });

  it("include what was typed", () => {
    const { lines } = after({ type: "typed", id: "t", text: "my name is O'Neill" });
    expect(lines[0]).toMatchObject({ speaker: "caller", typed: true, final: true });
  });

  it("are forgotten when the next call begins", () => {
    expect(after(agentSays("a", "Hello"), { type: "cleared" })).toEqual(emptyTranscript);
  });
});

describe("the latency of an answer", () => {
  it("goes to the line that is being spoken", () => {
    const { lines } = after(callerSays("c", "hi", true), agentSays("a", "Hello"), speechStarted(870));
    expect(lines[1]?.latency?.totalMs).toBe(870);
  });

  it("waits for the first word when it comes before it", () => {
    const { lines } = after(agentSays("g", "Welcome.", true), callerSays("c", "hi", true), speechStarted(870), agentSays("a", "Hello"));
    expect(lines.map((line) => line.latency?.totalMs)).toEqual([undefined, undefined, 870]);
  });

  it("is given once, though the answer goes on in a second segment", () => {
    const { lines } = after(speechStarted(500), agentSays("a", "One moment.", true), agentSays("b", "It is free."));
    expect(lines.map((line) => line.latency?.totalMs)).toEqual([500, undefined]);
  });

  it("is never lent to speech that nobody waited for", () => {
    const { lines } = after(speechStarted(500), speechStarted(), agentSays("a", "Are you still there?"));
    expect(lines[0]?.latency).toBeUndefined();
  });
});

describe("an interruption", () => {
  it("cuts the sentence where the caller cut it and keeps what was not heard", () => {
    const { lines } = after(agentSays("a", "We are open from"), interrupted("We are open from", "nine to five."));
    expect(lines[0]).toMatchObject({ text: "We are open from", unheard: "nine to five.", interrupted: true, final: true });
  });

  it("takes back words that were shown but not heard", () => {
    const { lines } = after(agentSays("a", "We are open from nine to", true), interrupted("We are open from", "nine to five."));
    expect(lines[0]?.text).toBe("We are open from");
  });

  it("is not undone by words that come late", () => {
    const { lines } = after(agentSays("a", "We are"), interrupted("We are", "open."), agentSays("a", "We are open", true));
    expect(lines[0]?.text).toBe("We are");
  });

  it("finds its sentence though the caller's words already stand below it", () => {
    const { lines } = after(agentSays("a", "We are open"), callerSays("c", "stop"), interrupted("we are open", "from nine."));
    expect(lines.map((line) => line.interrupted)).toEqual([true, false]);
  });

  it("finds its sentence though the next answer has begun", () => {
    const { lines } = after(agentSays("a", "We are open", true), agentSays("b", "Of course"), interrupted("We are open", "from nine."));
    expect(lines.map((line) => line.interrupted)).toEqual([true, false]);
  });

  it("before the first heard word leaves earlier sentences alone", () => {
    const { lines } = after(agentSays("a", "Welcome.", true), interrupted("", "We are open."));
    expect(lines[0]?.interrupted).toBe(false);
  });
});
