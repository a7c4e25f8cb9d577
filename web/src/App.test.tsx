// @vitest-environment jsdom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { App } from "./App";

/** The service, as far as a caller who types reaches it without an SFU. */
function serve(answers: Record<string, () => Response>) {
  vi.stubGlobal("fetch", (path: string) => {
    const answer = answers[path];
    return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError("Failed to fetch"));
  });
}

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: true, addEventListener: vi.fn(), removeEventListener: vi.fn() }));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

it("names the agent and asks for no choice where there is none", async () => {
  serve({ "/v1/agents": () => Response.json({ agents: [{ name: "frontdesk", language: "en" }] }) });
  render(<App />);
  expect(await screen.findByRole("heading", { name: "Talk to Frontdesk" })).toBeInTheDocument();
  expect(screen.queryByRole("combobox")).not.toBeInTheDocument();
});

it("lets the caller choose where there are several", async () => {
  serve({ "/v1/agents": () => Response.json([{ name: "frontdesk" }, { name: "support_desk" }]) });
  render(<App />);
  await userEvent.selectOptions(await screen.findByRole("combobox"), "support_desk");
  expect(screen.getByRole("heading", { name: "Talk to Support desk" })).toBeInTheDocument();
});

it("says that all lines are busy, and for how long", async () => {
  serve({
    "/v1/agents": () => Response.json([]),
    "/v1/realtime/sessions": () => Response.json({ code: "no_free_slot" }, { status: 503, headers: { "Retry-After": "20" } }),
  });
  render(<App />);
  await userEvent.click(screen.getByRole("button", { name: "Type instead" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("All lines are busy");
  expect(screen.getByRole("alert")).toHaveTextContent("Try again in 20 seconds");
});

it("says that the microphone needs a secure page, and offers to type", async () => {
  serve({});
  vi.stubGlobal("isSecureContext", false);
  render(<App />);
  await userEvent.click(screen.getByRole("button", { name: "Talk" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("secure page");
  expect(screen.getByRole("button", { name: "Type instead" })).toBeEnabled();
});
