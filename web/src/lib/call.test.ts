import { describe, expect, it } from "vitest";

import { agentActivity, duckedAfter, idle, reducePhase, type Phase, type PhaseAction } from "./call";

function after(...actions: PhaseAction[]): Phase {
  return actions.reduce(reducePhase, idle);
}

const LIVE: PhaseAction[] = [{ type: "microphone.asked" }, { type: "session.asked" }, { type: "connected", at: 1000 }];

describe("a call", () => {
  it("is over with its duration", () => {
    expect(after(...LIVE, { type: "ended", ending: "agent_hung_up", at: 61_000 })).toEqual({
      name: "over",
      ending: "agent_hung_up",
      durationMs: 60_000,
    });
  });

  it("that failed stays failed when its room closes", () => {
    const failed: PhaseAction = { type: "failed", failure: { kind: "session_failed" } };
    expect(after(...LIVE, failed, { type: "ended", ending: "caller_hung_up", at: 2000 }).name).toBe("failed");
  });

  it("is called off without a trace before it is held", () => {
    expect(after({ type: "microphone.asked" }, { type: "cancelled" })).toEqual(idle);
  });

  it("that is held ends by leaving the room, not by being called off", () => {
    expect(after(...LIVE, { type: "cancelled" }).name).toBe("live");
  });
});

describe("the agent", () => {
  it.each([
    [undefined, false, false, "connecting"],
    [undefined, true, true, "connecting"],
    ["initializing", true, true, "connecting"],
    ["idle", true, true, "listening"],
    ["thinking", true, true, "thinking"],
    ["something new", true, true, "connecting"],
    ["speaking", false, true, "away"],
  ] as const)("in state %s, present %s, met %s is %s", (state, present, met, activity) => {
    expect(agentActivity(state, present, met)).toBe(activity);
  });

  it.each([
    ["speaking", true, "listening_in"],
    ["listening", true, "listening"],
    ["speaking", false, "away"],
  ] as const)("in state %s, present %s, that speaks softly is %s", (state, present, activity) => {
    expect(agentActivity(state, present, true, true)).toBe(activity);
  });

  it.each([
    { type: "agent.restored" },
    { type: "agent.interrupted", heardText: "We", unheardText: "are" },
    { type: "agent.speech_stopped" },
    { type: "agent.speech_started" },
  ] as const)("speaks softly until $type", (event) => {
    expect(duckedAfter(false, { type: "agent.ducked" })).toBe(true);
    expect(duckedAfter(true, { type: "error", where: "stt" })).toBe(true);
    expect(duckedAfter(true, event)).toBe(false);
  });
});
