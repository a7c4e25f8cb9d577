import { useState } from "react";

import { describeEnding, type Ending } from "../lib/ending";
import { clockTime, latency, spokenTime } from "../lib/format";
import { plainText, summarise } from "../lib/summary";
import type { Line } from "../lib/transcript";
import { useArrivalFocus } from "../hooks/useArrivalFocus";
import { CopyIcon, MicrophoneIcon } from "./icons";
import { TranscriptView } from "./TranscriptView";

interface Props {
  readonly ending: Ending;
  readonly durationMs: number;
  /** As it is written; undefined: nothing. */
  readonly cost: string | undefined;
  readonly lines: readonly Line[];
  readonly agentLabel: string;
  readonly onTalk: () => void;
}

/** After a call: how it ended, what it came to, what was said. */
export function Review({ ending, durationMs, cost, lines, agentLabel, onTalk }: Props) {
  const heading = useArrivalFocus<HTMLHeadingElement>();
  const wording = describeEnding(ending);
  const { callerTurns, medianFirstAudioMs } = summarise(lines);
  return (
    <main className="split review">
      <section className="stage" aria-label="Summary">
        <h1 ref={heading} tabIndex={-1}>
          {wording.title}
        </h1>
        <p className="lead">{wording.advice}</p>
        <dl className="figures">
          <div>
            <dt>Duration</dt>
            <dd>
              <span aria-hidden="true">{clockTime(durationMs)}</span>
              <span className="visually-hidden">{spokenTime(durationMs)}</span>
            </dd>
          </div>
          <div>
            <dt>Your turns</dt>
            <dd>{callerTurns}</dd>
          </div>
          <div>
            <dt>Typical answer</dt>
            <dd>{medianFirstAudioMs === undefined ? "–" : latency(medianFirstAudioMs)}</dd>
          </div>
          {cost === undefined ? null : (
            <div>
              <dt>Cost</dt>
              <dd>{cost}</dd>
            </div>
          )}
        </dl>
        <div className="actions">
          <button type="button" className="primary" onClick={onTalk}>
            <MicrophoneIcon />
            Talk again
          </button>
          {lines.length > 0 ? <CopyButton text={plainText(lines, agentLabel)} /> : null}
        </div>
      </section>
      <section className="talk-column" aria-label="Conversation">
        <TranscriptView lines={lines} agentLabel={agentLabel} emptyNote="Nothing was said." />
      </section>
    </main>
  );
}

function CopyButton({ text }: { readonly text: string }) {
  const [outcome, setOutcome] = useState<"copied" | "refused">();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome("copied");
    } catch {
      setOutcome("refused");
    }
  };
  return (
    <button type="button" className="secondary" onClick={() => void copy()}>
      <CopyIcon />
      <span aria-live="polite">
        {outcome === "copied" ? "Copied" : outcome === "refused" ? "Copying was refused" : "Copy text"}
      </span>
    </button>
  );
}
