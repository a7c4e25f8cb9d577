import { useRef } from "react";

import { useFrame } from "../hooks/useFrame";
import type { ReadLoudness } from "../hooks/useLoudness";
import { eased } from "../lib/levels";
import type { Speaker } from "../lib/transcript";

interface Props {
  readonly label: string;
  readonly side: Speaker;
  readonly read: ReadLoudness;
  /** Says why there is nothing to see. */
  readonly note?: string | undefined;
}

/** How loud one side is. For the eye alone: what a screen reader needs to know stands in the state line. */
export function LevelMeter({ label, side, read, note }: Props) {
  const bar = useRef<HTMLSpanElement>(null);
  const level = useRef(0);
  useFrame(() => {
    level.current = eased(level.current, read());
    bar.current?.style.setProperty("--level", level.current.toFixed(3));
  });
  return (
    <div className="meter" data-side={side} aria-hidden="true">
      <span className="meter-label">{label}</span>
      <span className="meter-track">
        <span className="meter-bar" ref={bar} />
      </span>
      {note === undefined ? null : <span className="meter-note">{note}</span>}
    </div>
  );
}
