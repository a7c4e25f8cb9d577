/** What can keep a call from beginning, and how it is said: in plain words, with what to do. */

export type FailureKind =
  | "microphone_refused"
  | "microphone_missing"
  | "microphone_busy"
  | "microphone_insecure"
  | "microphone_other"
  | "agents_busy"
  | "rate_limited"
  | "budget_spent"
  | "not_allowed"
  | "unknown_agent"
  | "server_unreachable"
  | "service_unready"
  | "server_error"
  | "media_unreachable"
  | "session_failed"
  | "agent_missing";

export interface Failure {
  readonly kind: FailureKind;
  /** The server's own wish, where it said one. */
  readonly retryAfterSeconds?: number;
  /** The server's own sentence for people, where it gave one. */
  readonly detail?: string;
}

export interface Wording {
  readonly title: string;
  readonly advice: string;
}

/** Thrown on the way to a call, so that every step may fail in its own words. */
export class CallFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.kind, { cause });
    this.name = "CallFailure";
    this.failure = failure;
  }
}

/** A call without a microphone is still possible: by typing. */
export function canTypeInstead(failure: Failure): boolean {
  return failure.kind.startsWith("microphone_");
}

const WORDING: Readonly<Record<FailureKind, Wording>> = {
  microphone_refused: {
    title: "The microphone is blocked",
    advice:
      "Allow it for this page: press the icon at the left of the address bar, then Microphone, then Allow. Then try again. You can also type.",
  },
  microphone_missing: {
    title: "No microphone found",
    advice: "Plug one in or switch on your headset, then try again. You can also type.",
  },
  microphone_busy: {
    title: "The microphone is in use",
    advice: "Another program holds it. Close that program or its call, then try again. You can also type.",
  },
  microphone_insecure: {
    title: "The microphone needs a secure page",
    advice: "Browsers lend it only to https pages and to this machine itself. Open the page by its https address, or type.",
  },
  microphone_other: {
    title: "The microphone did not start",
    advice: "Check that it works in your system's settings, then try again. You can also type.",
  },
  agents_busy: {
    title: "All lines are busy",
    advice: "Every agent is in a call just now.",
  },
  rate_limited: {
    title: "Too many calls in a short time",
    advice: "A short pause is needed before the next one.",
  },
  budget_spent: {
    title: "No more calls today",
    advice: "What calls may cost in one day is used up. A new day begins at midnight, UTC.",
  },
  not_allowed: {
    title: "This page may not place calls",
    advice: "Its pass has expired or is missing. Load the page again; if that does not help, ask whoever runs this service.",
  },
  unknown_agent: {
    title: "This agent is not available",
    advice: "It was removed or renamed. Load the page again to see who is there.",
  },
  server_unreachable: {
    title: "The service cannot be reached",
    advice: "Check your network. If you run it yourself, see that it is still running. Then try again.",
  },
  service_unready: {
    title: "The service is not ready",
    advice: "A part of it is not running, or is still starting.",
  },
  server_error: {
    title: "The service has a problem",
    advice: "It is on our side, not on yours. Try again in a moment.",
  },
  media_unreachable: {
    title: "The call could not be connected",
    advice:
      "The voice connection did not come about: the service may be restarting, or a firewall or a VPN stands in the way. Try again, or use another network.",
  },
  session_failed: {
    title: "The agent could not take the call",
    advice: "It was called but did not come. Try again; if it happens again, the service needs a look.",
  },
  agent_missing: {
    title: "Nobody answered",
    advice: "The agent did not join. Try again in a moment.",
  },
};

export function describeFailure(failure: Failure): Wording {
  const { title, advice } = WORDING[failure.kind];
  const wait = failure.retryAfterSeconds;
  const parts = [advice];
  if (failure.kind === "agents_busy" || failure.kind === "rate_limited") {
    parts.push(wait === undefined ? "Try again in a minute." : `Try again in ${spokenWait(wait)}.`);
  }
  if (failure.kind === "service_unready") parts.push(failure.detail ?? "Try again in a moment.");
  return { title, advice: parts.join(" ") };
}

function spokenWait(seconds: number): string {
  if (seconds <= 1) return "a second";
  if (seconds < 90) return `${Math.ceil(seconds)} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
