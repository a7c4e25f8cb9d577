// @vitest-environment jsdom
import { render, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";

import type { Line } from "../lib/transcript";
import { TranscriptView } from "./TranscriptView";

function line(id: string, rest: Partial<Line>): Line {
  return { id, speaker: "agent", text: "", final: true, typed: false, interrupted: false, unheard: "", ...rest };
}

function show(...lines: Line[]) {
  render(<TranscriptView lines={lines} agentLabel="Front desk" emptyNote="Nothing yet." />);
  return within(screen.getByRole("region", { name: "Transcript" }));
}

it("strikes through what was not heard", () => {
  const view = show(line("a", { text: "We are open from", interrupted: true, unheard: "nine to five." }));
  expect(view.getByText("nine to five.").tagName).toBe("S");
});

it("shows the latency beside the agent's turn", () => {
  const view = show(line("a", { text: "Yes.", firstAudioMs: 870 }));
  expect(view.getByText("0.9 s")).toBeInTheDocument();
});

it("announces complete sentences only, and not what the caller has typed", () => {
  show(
    line("a", { text: "Welcome." }),
    line("b", { speaker: "caller", text: "my name", typed: true }),
    line("c", { speaker: "caller", text: "wh", final: false }),
  );
  const log = screen.getByRole("log");
  expect(log).toHaveTextContent("Front desk: Welcome.");
  expect(log).not.toHaveTextContent("my name");
  expect(log).not.toHaveTextContent("wh");
});

it("says so while there is nothing to show", () => {
  expect(show().getByText("Nothing yet.")).toBeInTheDocument();
});
