// @vitest-environment jsdom
import { render, screen } from "@testing-library/react";
import { Room } from "livekit-client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { AgentActivity } from "../lib/call";
import { Stage } from "./Stage";

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: true, addEventListener: vi.fn(), removeEventListener: vi.fn() }));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function stage(activity: AgentActivity, cost?: string) {
  return (
    <Stage
      phase={{ name: "live", startedAt: performance.now() }}
      activity={activity}
      agentLabel="Front desk"
      cost={cost}
      microphone="on"
      participant={new Room().localParticipant}
      readAgent={() => 0}
      readCaller={() => 0}
    />
  );
}

function ringIsSoft(): boolean {
  return document.querySelector(".ring")?.getAttribute("data-soft") === "true";
}

it("softens the ring and listens in while somebody speaks over the agent, for the eye alone", () => {
  const { rerender } = render(stage("speaking"));
  expect(ringIsSoft()).toBe(false);

  rerender(stage("listening_in"));
  expect(ringIsSoft()).toBe(true);
  expect(screen.getByText("Listening in")).toHaveAttribute("aria-hidden", "true");
  expect(screen.getByText("Speaking")).toHaveClass("visually-hidden");

  rerender(stage("speaking"));
  expect(ringIsSoft()).toBe(false);
  expect(screen.queryByText("Listening in")).not.toBeInTheDocument();
  expect(screen.getByText("Speaking")).not.toHaveClass("visually-hidden");
});

it("shows what the call costs beside its time, once it costs something", () => {
  const { rerender } = render(stage("listening"));
  expect(screen.queryByTitle("What this call has cost so far")).not.toBeInTheDocument();

  rerender(stage("listening", "$0.0123"));
  expect(screen.getByTitle("What this call has cost so far")).toHaveTextContent("Cost so far: $0.0123");
});
