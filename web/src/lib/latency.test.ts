import { describe, expect, it } from "vitest";

import { longestPart, readLatency } from "./latency";

describe("the latency of an answer", () => {
  it("is told part by part, in the order in which they pass, without what took no time", () => {
    const parts = { transit: 70, end_of_speech: 200, tools: 0, first_token: 330 };
    expect(readLatency(600, parts)).toEqual({
      totalMs: 600,
      parts: [
        { name: "end_of_speech", ms: 200 },
        { name: "first_token", ms: 330 },
        { name: "transit", ms: 70 },
      ],
    });
  });

  it("keeps the sum right when the agent tells of a part that is unknown here", () => {
    expect(readLatency(600, { commit: 400, invented_tomorrow: 200 })?.parts).toEqual([
      { name: "commit", ms: 400 },
      { name: "other", ms: 200 },
    ]);
  });

  it.each([undefined, null, [], "no", {}, { answer: 600 }, { commit: 900 }, { commit: 700, tools: -100 }])(
    "of which the parts are %j is the total alone",
    (parts) => {
      expect(readLatency(600, parts)).toEqual({ totalMs: 600, parts: [] });
    },
  );

  it.each([null, undefined, "870", -1, Number.NaN])("is none where the total is %s", (total) => {
    expect(readLatency(total, { commit: 870 })).toBeUndefined();
  });

  it("has a longest part, the earlier one of two", () => {
    const parts = [
      { name: "transit", ms: 1 },
      { name: "commit", ms: 2 },
      { name: "tools", ms: 2 },
    ] as const;
    expect(longestPart({ totalMs: 5, parts })?.name).toBe("commit");
    expect(longestPart({ totalMs: 5, parts: [] })).toBeUndefined();
  });
});
