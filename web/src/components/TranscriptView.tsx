import { useEffect, useId, useRef, useState } from "react";

import { useStickToEnd } from "../hooks/useStickToEnd";
import type { Line } from "../lib/transcript";
import { DownIcon } from "./icons";
import { LatencyBreakdown, LatencyTag } from "./LatencyBreakdown";

interface Props {
  readonly lines: readonly Line[];
  readonly agentLabel: string;
  /** Said while there is nothing to show. */
  readonly emptyNote: string;
}

export function TranscriptView({ lines, agentLabel, emptyNote }: Props) {
  const { box, behind, onScroll, toEnd } = useStickToEnd(lines);
  return (
    <div className="transcript">
      {/* A box that scrolls must be reachable by the keyboard. */}
      <div className="transcript-box" ref={box} onScroll={onScroll} tabIndex={0} role="region" aria-label="Transcript">
        {lines.length === 0 ? (
          <p className="transcript-empty">{emptyNote}</p>
        ) : (
          <ol className="lines">
            {lines.map((line, index) => (
              <LineView
                key={line.id}
                line={line}
                agentLabel={agentLabel}
                continued={lines[index - 1]?.speaker === line.speaker && line.latency === undefined}
              />
            ))}
          </ol>
        )}
      </div>
      {behind ? (
        <button type="button" className="to-end" onClick={toEnd}>
          <DownIcon />
          Latest
        </button>
      ) : null}
      <Announcements lines={lines} agentLabel={agentLabel} />
    </div>
  );
}

interface LineProps {
  readonly line: Line;
  readonly agentLabel: string;
  /** The same speaker goes on: the name is not said again. */
  readonly continued: boolean;
}

function LineView({ line, agentLabel, continued }: LineProps) {
  const name = line.speaker === "agent" ? agentLabel : "You";
  const { latency } = line;
  const [open, setOpen] = useState(false);
  const breakdown = useId();
  const item = useRef<HTMLLIElement>(null);

  // What unfolds below the edge of the box would seem not to have unfolded.
  useEffect(() => {
    if (open) item.current?.scrollIntoView({ block: "nearest" });
  }, [open]);

  return (
    <li className="line" ref={item} data-speaker={line.speaker} data-final={line.final} data-continued={continued}>
      <p className={continued ? "visually-hidden" : "line-head"}>
        <span className="line-name">{name}</span>
        {line.typed ? <span className="line-tag">typed</span> : null}
        {latency ? (
          <LatencyTag
            latency={latency}
            open={open}
            controls={breakdown}
            onToggle={() => {
              setOpen(!open);
            }}
          />
        ) : null}
      </p>
      {latency && open ? <LatencyBreakdown id={breakdown} latency={latency} /> : null}
      <p className="line-text">
        {line.text}
        {line.interrupted ? <Cut unheard={line.unheard} /> : null}
      </p>
    </li>
  );
}

/** Where the caller cut in, and what was not heard because of it. */
function Cut({ unheard }: { readonly unheard: string }) {
  return (
    <>
      <span className="cut-mark" title="You spoke here">
        <span className="visually-hidden"> (interrupted) </span>
      </span>
      {unheard === "" ? null : (
        <>
          <span className="visually-hidden">Not heard: </span>
          <s className="unheard">{unheard}</s>
        </>
      )}
    </>
  );
}

const ANNOUNCED = 4;

/** For screen readers: complete sentences only, or every revision of a word would be read out. */
function Announcements({ lines, agentLabel }: { readonly lines: readonly Line[]; readonly agentLabel: string }) {
  const complete = lines.filter((line) => line.final && !line.typed && line.text.trim() !== "");
  return (
    <div className="visually-hidden" role="log" aria-live="polite" aria-relevant="additions" aria-label="New sentences">
      {complete.slice(-ANNOUNCED).map((line) => (
        <p key={line.id}>
          {line.speaker === "agent" ? agentLabel : "You"}: {line.text}
        </p>
      ))}
    </div>
  );
}
