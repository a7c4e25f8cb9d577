import type { LocalParticipant } from "livekit-client";

import { useArrivalFocus } from "../hooks/useArrivalFocus";
import { useElapsed } from "../hooks/useElapsed";
import type { ReadLoudness } from "../hooks/useLoudness";
import type { MicrophoneState } from "../hooks/useMicrophoneSwitch";
import type { AgentActivity, Phase } from "../lib/call";
import { clockTime } from "../lib/format";
import type { RingMotion } from "../lib/levels";
import { ConnectionBadge } from "./ConnectionBadge";
import { LevelMeter } from "./LevelMeter";
import { VoiceRing, type RingTone } from "./VoiceRing";

interface Props {
  readonly phase: Phase;
  readonly activity: AgentActivity;
  readonly agentLabel: string;
  /** What the call has cost so far, as it is written; undefined: nothing. */
  readonly cost?: string | undefined;
  readonly microphone: MicrophoneState;
  readonly participant: LocalParticipant;
  readonly readAgent: ReadLoudness;
  readonly readCaller: ReadLoudness;
}

/** Who speaks, and how it stands. */
export function Stage({ phase, activity, agentLabel, cost, microphone, participant, readAgent, readCaller }: Props) {
  const heading = useArrivalFocus<HTMLHeadingElement>();
  const elapsed = useElapsed(phase.name === "live" ? phase.startedAt : undefined);
  const { word, aside, hint, motion, tone } = appearance(phase, activity, microphone);
  return (
    <>
      <header className="stage-head">
        <h1 ref={heading} tabIndex={-1}>
          {agentLabel}
        </h1>
        <ConnectionBadge participant={participant} />
      </header>
      <div className="stage-body">
        <VoiceRing motion={motion} tone={tone} soft={aside !== undefined} read={tone === "caller" ? readCaller : readAgent}>
          <span className="elapsed" role="timer" aria-label="Elapsed time">
            {clockTime(elapsed)}
          </span>
          {/* Not read out as it grows: whoever wants to know can ask for it. */}
          {cost === undefined ? null : (
            <span className="cost" title="What this call has cost so far">
              <span className="visually-hidden">Cost so far: </span>
              {cost}
            </span>
          )}
        </VoiceRing>
        <div className="stage-words">
          <p className="state" role="status" data-state={phase.name === "live" ? activity : phase.name}>
            <span className={aside === undefined ? undefined : "visually-hidden"}>{word}</span>
            {/* Gone in a moment, and read out it would be one more voice over the two. */}
            {aside === undefined ? null : <span aria-hidden="true">{aside}</span>}
          </p>
          <p className="hint">{hint}</p>
          <div className="meters">
            <LevelMeter label="You" side="caller" read={readCaller} note={METER_NOTES[microphone]} />
            <LevelMeter label="Agent" side="agent" read={readAgent} />
          </div>
        </div>
      </div>
    </>
  );
}

const METER_NOTES: Readonly<Record<MicrophoneState, string | undefined>> = {
  on: undefined,
  muted: "muted",
  none: "typing",
};

interface Appearance {
  readonly word: string;
  /** Seen in place of the word, for a moment. */
  readonly aside?: string;
  readonly hint: string;
  readonly motion: RingMotion;
  readonly tone: RingTone;
}

function appearance(phase: Phase, activity: AgentActivity, microphone: MicrophoneState): Appearance {
  if (phase.name === "asking") {
    return { word: "Allow the microphone", hint: "Your browser is asking for it.", motion: "sweep", tone: "quiet" };
  }
  if (phase.name !== "live") return { word: "Connecting", hint: "One moment.", motion: "sweep", tone: "quiet" };
  switch (activity) {
    case "connecting":
      return { word: "Connecting", hint: "The agent is being called.", motion: "sweep", tone: "quiet" };
    case "away":
      return { word: "Waiting", hint: "The agent dropped out. It is being called back.", motion: "sweep", tone: "trouble" };
    case "thinking":
      return { word: "Thinking", hint: "An answer is on its way.", motion: "sweep", tone: "agent" };
    case "speaking":
      return { word: "Speaking", hint: "Just speak to interrupt.", motion: "voice", tone: "agent" };
    case "listening_in":
      return { word: "Speaking", aside: "Listening in", hint: "Keep speaking to interrupt.", motion: "voice", tone: "agent" };
    case "listening":
      return { word: "Listening", hint: LISTENING_HINTS[microphone], motion: "voice", tone: "caller" };
  }
}

const LISTENING_HINTS: Readonly<Record<MicrophoneState, string>> = {
  on: "Go ahead.",
  muted: "Your microphone is muted.",
  none: "Type your message.",
};
