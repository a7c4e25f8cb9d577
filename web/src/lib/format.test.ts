import { expect, it } from "vitest";

import { clockTime, counted, latency, spokenTime } from "./format";

it.each([
  [0, "0:00"],
  [59_999, "0:59"],
  [65_000, "1:05"],
  [3_605_000, "1:00:05"],
  [-5, "0:00"],
])("%i ms on a clock is %s", (milliseconds, text) => {
  expect(clockTime(milliseconds)).toBe(text);
});

it("speaks durations", () => {
  expect(spokenTime(61_000)).toBe("1 minute 1 second");
  expect(spokenTime(4000)).toBe("4 seconds");
});

it("rounds latencies to a tenth", () => {
  expect(latency(870)).toBe("0.9 s");
  expect(latency(4)).toBe("< 0.1 s");
  expect(counted(2, "turn")).toBe("2 turns");
});
