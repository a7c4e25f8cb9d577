// @vitest-environment jsdom
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";

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
  const view = show(line("a", { text: "Yes.", latency: { totalMs: 870, parts: [] } }));
  expect(view.getByText("0.9 s")).toBeInTheDocument();
  expect(view.queryByRole("button")).not.toBeInTheDocument();
});

it("unfolds where the time went, and folds it again", async () => {
  const scrolled = vi.fn();
  Element.prototype.scrollIntoView = scrolled; // jsdom has no layout to scroll in
  const parts = [
    { name: "commit", ms: 500 },
    { name: "first_token", ms: 370 },
  ] as const;
  const view = show(line("a", { text: "Yes.", latency: { totalMs: 870, parts } }));
  const tag = view.getByRole("button", { name: "Answered after 0.9 s: where the time went", expanded: false });
  expect(tag).toHaveAccessibleDescription(/longest: making sure you were done\.$/);

  await userEvent.click(tag);
  const breakdown = within(view.getByRole("group", { name: "Where the time went" }));
  expect(breakdown.getAllByRole("term").map((term) => term.textContent)).toEqual([
    "Making sure you were done",
    "Thinking of an answer",
    "Together",
  ]);
  expect(breakdown.getAllByRole("definition").map((figure) => figure.textContent)).toEqual(["500 ms", "370 ms", "870 ms"]);
  expect(scrolled).toHaveBeenCalled();
  expect(tag).toHaveAttribute("aria-expanded", "true");

  await userEvent.click(tag);
  expect(view.queryByRole("group")).not.toBeInTheDocument();
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
