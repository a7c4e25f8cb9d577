/**
 * The session API, as far as a caller needs it. `POST /v1/realtime/sessions` is LiveKit's token endpoint; it is not asked
 * by `TokenSource.endpoint`, because that keeps neither the session's id nor the status code of a refusal.
 */
import { CallFailure, type Failure } from "./failure";
import { isObject, numberOf, parseJson, textOf, type JsonObject } from "./json";

export const SESSIONS_PATH = "/v1/realtime/sessions";

const ANSWER_MS = 15_000;

export interface Session {
  readonly id: string;
  readonly serverUrl: string;
  readonly token: string;
  readonly iceServers: RTCIceServer[];
}

export interface SessionStatus {
  readonly status: "dispatched" | "active" | "ended" | "failed";
  /** Why it ended or failed, as one word of the API's. */
  readonly reason: string | undefined;
}

/** @param agent a definition's name; undefined for the default one. Raises CallFailure. */
export async function createSession(agent: string | undefined, signal: AbortSignal): Promise<Session> {
  const response = await answer(SESSIONS_PATH, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(agent === undefined ? {} : { agent }),
    signal,
  });
  const body = parseJson(await response.text());
  if (!response.ok) throw new CallFailure(refusal(response.status, response.headers.get("Retry-After"), body));
  const session = isObject(body) ? sessionOf(body) : undefined;
  if (!session) throw new CallFailure({ kind: "server_error" });
  return session;
}

/** How the session stands; undefined when that cannot be learned now. */
export async function readStatus(id: string, signal: AbortSignal): Promise<SessionStatus | undefined> {
  try {
    const response = await answer(`${SESSIONS_PATH}/${encodeURIComponent(id)}`, { signal });
    return response.ok ? statusOf(parseJson(await response.text())) : undefined;
  } catch {
    return undefined;
  }
}

/** Tells the service at once that the call is over. It would notice by itself: a refusal does not matter. */
export async function endSession(id: string): Promise<void> {
  try {
    await fetch(`${SESSIONS_PATH}/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true });
  } catch {
    // nobody is there to tell
  }
}

async function answer(path: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  try {
    return await fetch(path, { ...init, signal: AbortSignal.any([init.signal, AbortSignal.timeout(ANSWER_MS)]) });
  } catch (error) {
    if (init.signal.aborted) throw error;
    throw new CallFailure({ kind: "server_unreachable" }, error);
  }
}

function sessionOf(body: JsonObject): Session | undefined {
  const serverUrl = textOf(body.server_url);
  const token = textOf(body.participant_token);
  const id = textOf(body.id) ?? textOf(body.room_name);
  if (serverUrl === undefined || token === undefined || id === undefined) return undefined;
  return { id, serverUrl, token, iceServers: iceServersOf(body.iceServers) };
}

function iceServersOf(value: unknown): RTCIceServer[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item: unknown): item is JsonObject & RTCIceServer => isObject(item) && "urls" in item);
}

export function statusOf(body: unknown): SessionStatus | undefined {
  if (!isObject(body)) return undefined;
  switch (body.status) {
    case "dispatched":
    case "active":
    case "ended":
    case "failed":
      return { status: body.status, reason: textOf(body.reason) };
    default:
      return undefined;
  }
}

/**
 * @param body problem+json (RFC 9457)
 * @param retryAfter the header, in seconds; its form as a date is not used by this API
 */
export function refusal(status: number, retryAfter: string | null, body: unknown): Failure {
  const problem = isObject(body) ? body : {};
  const seconds = numberOf(retryAfter === null || retryAfter.trim() === "" ? undefined : Number(retryAfter));
  const wait = seconds === undefined || seconds < 0 ? {} : { retryAfterSeconds: seconds };
  const detail = textOf(problem.detail);
  const words = detail === undefined ? {} : { detail };
  switch (status) {
    case 401:
    case 403:
      return { kind: "not_allowed" };
    case 422:
      return { kind: problem.code === "unknown_agent" ? "unknown_agent" : "server_error" };
    case 429:
      return problem.code === "budget_spent" ? { kind: "budget_spent" } : { kind: "rate_limited", ...wait };
    case 503:
      return problem.code === "no_free_slot" ? { kind: "agents_busy", ...wait } : { kind: "service_unready", ...words };
    default:
      return { kind: "server_error" };
  }
}
