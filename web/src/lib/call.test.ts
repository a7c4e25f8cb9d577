import { describe, expect, it } from "vitest";

import { agentActivity, idle, reducePhase, type Phase, type PhaseAction } from "./call";

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
});
