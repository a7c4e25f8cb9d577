/** The conversation as the page shows it: what arrives goes in, the lines of both sides come out. */
import type { CallEvent } from "./events";
import type { AnswerLatency } from "./latency";

export type Speaker = "caller" | "agent";

export interface Line {
  readonly id: string;
  readonly speaker: Speaker;
  /** What was said; of an interrupted line what was heard of it. */
  readonly text: string;
  /** Nothing more comes. */
  readonly final: boolean;
  /** Written, not spoken. */
  readonly typed: boolean;
  readonly interrupted: boolean;
  /** What the agent had in mind to say when it was cut. */
  readonly unheard: string;
  /** How long this answer was waited for. */
  readonly latency?: AnswerLatency;
}

export interface Transcript {
  readonly lines: readonly Line[];
  /** Measured for an answer whose first word has not arrived yet. */
  readonly pendingLatency?: AnswerLatency;
}

export type TranscriptAction =
  /** `text` is all of the segment so far; a later one of the same id takes its place. */
  | {
      readonly type: "segment";
      readonly id: string;
      readonly speaker: Speaker;
      readonly text: string;
      readonly final: boolean;
    }
  | { readonly type: "segment.closed"; readonly id: string }
  | { readonly type: "typed"; readonly id: string; readonly text: string }
  | { readonly type: "event"; readonly event: CallEvent }
  | { readonly type: "cleared" };

export const emptyTranscript: Transcript = { lines: [] };

export function reduceTranscript(transcript: Transcript, action: TranscriptAction): Transcript {
  switch (action.type) {
    case "segment":
      return withSegment(transcript, action);
    case "segment.closed":
      return withLine(transcript, action.id, (line) => ({ ...line, final: true }));
    case "typed":
      return append(transcript, blankLine(action.id, "caller", { text: action.text, typed: true, final: true }));
    case "event":
      return withEvent(transcript, action.event);
    case "cleared":
      return emptyTranscript;
  }
}

function withSegment(
  transcript: Transcript,
  { id, speaker, text, final }: Extract<TranscriptAction, { type: "segment" }>,
): Transcript {
  const known = transcript.lines.find((line) => line.id === id);
  if (known) {
    // What was heard of a cut sentence is settled; words that come late were not heard.
    return withLine(transcript, id, (line) => ({ ...line, text: line.interrupted ? line.text : text, final }));
  }
  if (text.trim() === "") return transcript;
  const fresh = blankLine(id, speaker, { text, final });
  if (speaker === "caller" || !transcript.pendingLatency) return append(transcript, fresh);
  return { lines: [...transcript.lines, { ...fresh, latency: transcript.pendingLatency }] };
}

function withEvent(transcript: Transcript, event: CallEvent): Transcript {
  switch (event.type) {
    case "agent.speech_started":
      // Speech unasked was not waited for; a figure still held back belonged to words that never came.
      return event.latency ? withLatency(transcript, event.latency) : { lines: transcript.lines };
    case "agent.interrupted":
      return withInterruption(transcript, event.heardText, event.unheardText);
    default:
      return transcript;
  }
}

/** The words and the event travel on two streams: whichever is first waits for the other. */
function withLatency(transcript: Transcript, latency: AnswerLatency): Transcript {
  const last = transcript.lines.at(-1);
  if (last?.speaker === "agent" && !last.final && !last.latency) {
    return withLine(transcript, last.id, (line) => ({ ...line, latency }));
  }
  return { ...transcript, pendingLatency: latency };
}

const RECENT_AGENT_LINES = 3;

function withInterruption(transcript: Transcript, heardText: string, unheardText: string): Transcript {
  const recent = transcript.lines.filter((line) => line.speaker === "agent").slice(-RECENT_AGENT_LINES);
  const nothingHeard = heardText.trim() === "";
  const cut = recent.findLast((line) => (nothingHeard ? !line.final : !line.interrupted && begins(line.text, heardText)));
  if (!cut) return transcript;
  return withLine(transcript, cut.id, (line) => ({
    ...line,
    text: nothingHeard ? line.text : heardText,
    unheard: unheardText.trim(),
    interrupted: true,
    final: true,
  }));
}

/** Both tell of the same sentence: one is the beginning of the other, punctuation and case aside. */
function begins(one: string, other: string): boolean {
  const [a, b] = [bareWords(one), bareWords(other)];
  return a.startsWith(b) || b.startsWith(a);
}

function bareWords(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

function blankLine(id: string, speaker: Speaker, rest: Partial<Line> & Pick<Line, "text">): Line {
  return { id, speaker, final: false, typed: false, interrupted: false, unheard: "", ...rest };
}

function append(transcript: Transcript, line: Line): Transcript {
  return { ...transcript, lines: [...transcript.lines, line] };
}

function withLine(transcript: Transcript, id: string, change: (line: Line) => Line): Transcript {
  return { ...transcript, lines: transcript.lines.map((line) => (line.id === id ? change(line) : line)) };
}
