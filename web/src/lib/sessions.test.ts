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
    [503, { "Retry-After": "7" }, { kind: "agents_busy", retryAfterSeconds: 7 }],
    [429, {}, { kind: "rate_limited" }],
    [401, {}, { kind: "not_allowed" }],
    [422, {}, { kind: "unknown_agent" }],
    [500, {}, { kind: "server_error" }],
  ])("refused with %i is said as such", async (status, headers, failure) => {
    answerWith(status, "<html>", headers);
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
    expect(statusOf({ status: "failed", reason: "no agent joined" })).toEqual({ status: "failed", reason: "no agent joined" });
    expect(statusOf({ status: "active" })).toEqual({ status: "active" });
    expect(statusOf({ status: "new one" })).toBeUndefined();
  });

  it("is unknown while the service cannot be asked", async () => {
    answerWith(404, {});
    await expect(readStatus("ses_1", never)).resolves.toBeUndefined();
  });
});

it("a Retry-After that is no number of seconds is not repeated", () => {
  expect(refusal(503, "Wed, 21 Oct 2026 07:28:00 GMT", undefined)).toEqual({ kind: "agents_busy" });
  expect(refusal(503, "-1", undefined)).toEqual({ kind: "agents_busy" });
  expect(refusal(503, "", undefined)).toEqual({ kind: "agents_busy" });
});
