/** The life of a call, from the button to the summary. */
import type { Ending } from "./ending";
import type { CallEvent } from "./events";
import type { Failure } from "./failure";

export type Phase =
  | { readonly name: "idle" }
  /** The browser asks for the microphone. */
  | { readonly name: "asking" }
  /** The service is asked for a session, the room is entered. */
  | { readonly name: "connecting" }
  /** In the room; times in milliseconds of `performance.now()`. */
  | { readonly name: "live"; readonly startedAt: number }
  | { readonly name: "over"; readonly ending: Ending; readonly durationMs: number }
  | { readonly name: "failed"; readonly failure: Failure };

export type PhaseAction =
  | { readonly type: "microphone.asked" }
  | { readonly type: "session.asked" }
  | { readonly type: "connected"; readonly at: number }
  | { readonly type: "ended"; readonly ending: Ending; readonly at: number }
  | { readonly type: "failed"; readonly failure: Failure }
  | { readonly type: "cancelled" };

export const idle: Phase = { name: "idle" };

export function reducePhase(phase: Phase, action: PhaseAction): Phase {
  switch (action.type) {
    case "microphone.asked":
      return { name: "asking" };
    case "session.asked":
      return { name: "connecting" };
    case "connected":
      return { name: "live", startedAt: action.at };
    case "ended":
      // A room that closes after the call has failed or ended has nothing to add.
      return phase.name === "live"
        ? { name: "over", ending: action.ending, durationMs: action.at - phase.startedAt }
        : phase;
    case "failed":
      return { name: "failed", failure: action.failure };
    case "cancelled":
      // A call that is held ends when the room is left, with a summary.
      return phase.name === "live" ? phase : idle;
  }
}

/** The agent's own word for its state (`lk.agent.state`), and what the page makes of the time before it is there. */
export type AgentActivity = "connecting" | "listening" | "thinking" | "speaking" | "listening_in" | "away";

const ACTIVITIES: ReadonlySet<string> = new Set<AgentActivity>(["listening", "thinking", "speaking"]);

/**
 * @param present the agent is in the room
 * @param met it has been there before: a call without it now has lost it
 * @param ducked it speaks softly, because somebody speaks over it
 */
export function agentActivity(state: string | undefined, present: boolean, met: boolean, ducked = false): AgentActivity {
  if (!present) return met ? "away" : "connecting";
  if (state === "speaking" && ducked) return "listening_in";
  if (state !== undefined && ACTIVITIES.has(state)) return state as AgentActivity;
  return state === "idle" ? "listening" : "connecting";
}

/** Whether the agent speaks softly after `event`. */
export function duckedAfter(ducked: boolean, event: CallEvent): boolean {
  switch (event.type) {
    case "agent.ducked":
      return true;
    case "agent.restored":
    case "agent.interrupted":
    case "agent.speech_started":
    case "agent.speech_stopped":
      return false;
    default:
      return ducked;
  }
}
