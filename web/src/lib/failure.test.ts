import { expect, it } from "vitest";

import { canTypeInstead, describeFailure } from "./failure";

it("says how long to wait when the service does", () => {
  expect(describeFailure({ kind: "agents_busy", retryAfterSeconds: 20 }).advice).toContain("Try again in 20 seconds.");
  expect(describeFailure({ kind: "rate_limited", retryAfterSeconds: 100 }).advice).toContain("Try again in 2 minutes.");
  expect(describeFailure({ kind: "rate_limited", retryAfterSeconds: 1 }).advice).toContain("Try again in a second.");
});

it("says a minute when the service does not", () => {
  expect(describeFailure({ kind: "agents_busy" }).advice).toContain("Try again in a minute.");
});

it("repeats the service's own words on what of it is missing", () => {
  expect(describeFailure({ kind: "service_unready", detail: "Start a worker." }).advice).toContain("Start a worker.");
  expect(describeFailure({ kind: "service_unready" }).advice).toContain("Try again in a moment.");
});

it("offers typing where only the microphone is missing", () => {
  expect(canTypeInstead({ kind: "microphone_refused" })).toBe(true);
  expect(canTypeInstead({ kind: "agents_busy" })).toBe(false);
});
