import { latency as roughly } from "../lib/format";
import { longestPart, PART_WORDS, type AnswerLatency } from "../lib/latency";
import { UnfoldIcon } from "./icons";

const MEANING = "From the end of your words to the first sound of the answer";

interface TagProps {
  readonly latency: AnswerLatency;
  readonly open: boolean;
  /** Id of the breakdown while it is there. */
  readonly controls: string;
  readonly onToggle: () => void;
}

/** How long the answer took. A button where there is more to tell. */
export function LatencyTag({ latency, open, controls, onToggle }: TagProps) {
  const text = roughly(latency.totalMs);
  const longest = longestPart(latency);
  if (!longest) {
    return (
      <span className="line-tag latency" title={MEANING}>
        <span className="visually-hidden">answered after </span>
        {text}
      </span>
    );
  }
  return (
    <button
      type="button"
      className="line-tag latency"
      aria-label={`Answered after ${text}: where the time went`}
      aria-expanded={open}
      aria-controls={open ? controls : undefined}
      title={`${MEANING}. What took longest: ${PART_WORDS[longest.name].toLowerCase()}.`}
      onClick={onToggle}
    >
      {text}
      <UnfoldIcon />
    </button>
  );
}

interface BreakdownProps {
  readonly id: string;
  readonly latency: AnswerLatency;
}

/** Where the milliseconds went: a bar to see it by, and every part in words. */
export function LatencyBreakdown({ id, latency }: BreakdownProps) {
  return (
    <div className="breakdown" id={id} role="group" aria-label="Where the time went">
      <div className="breakdown-bar" aria-hidden="true">
        {latency.parts.map(({ name, ms }) => (
          <span key={name} data-part={name} style={{ flexGrow: ms }} />
        ))}
      </div>
      <dl>
        {latency.parts.map(({ name, ms }) => (
          <div key={name}>
            <dt data-part={name}>{PART_WORDS[name]}</dt>
            <dd>{ms} ms</dd>
          </div>
        ))}
        <div className="breakdown-total">
          <dt>Together</dt>
          <dd>{latency.totalMs} ms</dd>
        </div>
      </dl>
    </div>
  );
}
