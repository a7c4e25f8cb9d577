import { afterEach, describe, expect, it, vi } from "vitest";

import { CallFailure } from "./failure";
import { createSession, readStatus, refusal, statusOf } from "./sessions";

const CREATED = {
  id: "ses_1",
  agent: "frontdesk",
  status: "dispatched",
  room_name: "ses_1",
  server_url: "ws://127.0.0.1:7880",
  participant_token: "a.b.c",
  iceServers: [{ urls: ["turn:turn.example:3478"], username: "u", credential: "c" }, "nonsense"],
};

/** The network, answering everything alike. */
function answerWith(status: number, body: unknown, headers: Record<string, string> = {}) {
  const asked = vi.fn<typeof fetch>(() =>
    Promise.resolve(new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers })),
  );
  vi.stubGlobal("fetch", asked);
  return asked;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

const never = new AbortController().signal;

describe("a new session", () => {
  it("is what the answer says, with its TURN servers", async () => {
    const asked = answerWith(201, CREATED);
    await expect(createSession("frontdesk", never)).resolves.toEqual({
      id: "ses_1",
      serverUrl: "ws://127.0.0.1:7880",
      token: "a.b.c",
      iceServers: [CREATED.iceServers[0]],
    });
    expect(asked.mock.calls[0]?.[1]?.body).toBe('{"agent":"frontdesk"}');
  });

  it("names no agent when the default one is wanted", async () => {
    const asked = answerWith(201, CREATED);
    await createSession(undefined, never);
    expect(asked.mock.calls[0]?.[1]?.body).toBe("{}");
  });

  it.each([
    [503, { code: "no_free_slot" }, { kind: "agents_busy", retryAfterSeconds: 7 }],
    [503, { code: "no_worker", detail: "Start one." }, { kind: "service_unready", detail: "Start one." }],
    [503, "<html>", { kind: "service_unready" }],
    [429, { code: "rate_limited" }, { kind: "rate_limited", retryAfterSeconds: 7 }],
    [401, "<html>", { kind: "not_allowed" }],
    [422, { code: "unknown_agent" }, { kind: "unknown_agent" }],
    [422, { code: "invalid_request" }, { kind: "server_error" }],
    [500, "<html>", { kind: "server_error" }],
  ])("refused with %i %j is said as such", async (status, body, failure) => {
    answerWith(status, body, { "Retry-After": "7" });
    await expect(createSession(undefined, never)).rejects.toMatchObject({ failure });
  });

  it("from a service that is not there is unreachable", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(createSession(undefined, never)).rejects.toMatchObject({ failure: { kind: "server_unreachable" } });
  });

  it("that was called off is no failure to report", async () => {
    const abort = new AbortController();
    abort.abort();
    vi.stubGlobal("fetch", () => Promise.reject(new DOMException("aborted", "AbortError")));
    await expect(createSession(undefined, abort.signal)).rejects.not.toBeInstanceOf(CallFailure);
  });

  it.each(["", "[]", { id: "ses_1" }])("answered by %j is a fault of the service", async (body) => {
    answerWith(201, body);
    await expect(createSession(undefined, never)).rejects.toMatchObject({ failure: { kind: "server_error" } });
  });
});

describe("the status", () => {
  it("carries the reason of a failure", () => {
    expect(statusOf({ status: "failed", reason: "no_agent_joined" })).toEqual({ status: "failed", reason: "no_agent_joined" });
    expect(statusOf({ status: "active", reason: null })).toEqual({ status: "active", reason: undefined });
    expect(statusOf({ status: "new one" })).toBeUndefined();
  });

  it("is unknown while the service cannot be asked", async () => {
    answerWith(404, {});
    await expect(readStatus("ses_1", never)).resolves.toBeUndefined();
  });
});

it("a Retry-After that is no number of seconds is not repeated", () => {
  for (const retryAfter of ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "", null]) {
    expect(refusal(429, retryAfter, undefined)).toEqual({ kind: "rate_limited" });
  }
});

it("tells a spent budget from a busy caller", () => {
  expect(refusal(429, "3600", { code: "budget_spent" })).toEqual({ kind: "budget_spent" });
});
