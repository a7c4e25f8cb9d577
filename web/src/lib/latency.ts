/** How long an answer let its caller wait, and where the milliseconds went. */
import { isObject, numberOf } from "./json";

/** In the order in which they pass. What each one covers: voiceworker/policy/latency.py. */
const PARTS = ["end_of_speech", "transcript", "commit", "tools", "first_token", "first_audio", "playout", "transit"] as const;

/** `other`: of a part that this page does not know yet. */
export type LatencyPartName = (typeof PARTS)[number] | "other";

export interface LatencyPart {
  readonly name: LatencyPartName;
  /** Above 0. */
  readonly ms: number;
}

export interface AnswerLatency {
  /** From the end of the caller's speech to the first sound of the answer. */
  readonly totalMs: number;
  /** What took any time, together `totalMs`; empty when the agent does not tell. */
  readonly parts: readonly LatencyPart[];
}

export const PART_WORDS: Readonly<Record<LatencyPartName, string>> = {
  end_of_speech: "Noticing that you had stopped",
  transcript: "Writing down your words",
  commit: "Making sure you were done",
  tools: "Looking things up",
  first_token: "Thinking of an answer",
  first_audio: "Turning it into speech",
  playout: "Getting ready to speak",
  transit: "Network and audio devices",
  other: "Everything else",
};

/** Of the event `agent.speech_started`; undefined when the agent spoke unasked. */
export function readLatency(firstAudioMs: unknown, parts: unknown): AnswerLatency | undefined {
  const totalMs = numberOf(firstAudioMs);
  if (totalMs === undefined || totalMs < 0) return undefined;
  return { totalMs, parts: isObject(parts) ? readParts(totalMs, parts) : [] };
}

function readParts(totalMs: number, told: Readonly<Record<string, unknown>>): LatencyPart[] {
  const known = PARTS.map((name) => ({ name, ms: numberOf(told[name]) ?? 0 }));
  const rest = totalMs - known.reduce((sum, part) => sum + part.ms, 0);
  // Parts that do not make up the whole explain nothing.
  if (rest < 0 || rest === totalMs || known.some((part) => part.ms < 0)) return [];
  return [...known, { name: "other" as const, ms: rest }].filter((part) => part.ms > 0);
}

/** What took longest; undefined when nothing is told. */
export function longestPart({ parts }: AnswerLatency): LatencyPart | undefined {
  return parts.reduce<LatencyPart | undefined>((longest, part) => (longest && longest.ms >= part.ms ? longest : part), undefined);
}
