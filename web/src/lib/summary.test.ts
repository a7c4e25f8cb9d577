import { expect, it } from "vitest";

import { plainText, summarise } from "./summary";
import type { Line } from "./transcript";

function line(speaker: Line["speaker"], text: string, rest: Partial<Line> = {}): Line {
  return { id: text, speaker, text, final: true, typed: false, interrupted: false, unheard: "", ...rest };
}

it("counts the caller's turns, not his sentences, and takes the median of the answers", () => {
  const lines = [
    line("agent", "Welcome."),
    line("caller", "Hello."),
    line("caller", "When are you open?"),
    line("agent", "From nine.", { latency: { totalMs: 800, parts: [] } }),
    line("caller", "Thanks."),
    line("agent", "You are welcome.", { latency: { totalMs: 1200, parts: [] } }),
  ];
  expect(summarise(lines)).toEqual({ callerTurns: 2, medianFirstAudioMs: 1000 });
  expect(summarise([])).toEqual({ callerTurns: 0, medianFirstAudioMs: undefined });
});

it("writes the conversation down as it was heard", () => {
  const lines = [line("agent", "We are open from", { interrupted: true, unheard: "nine." }), line("caller", "Stop.")];
  expect(plainText(lines, "Front desk")).toBe("Front desk: We are open from —\nYou: Stop.");
});
