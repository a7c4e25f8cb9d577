import { useRef, type ReactNode } from "react";

import { useFrame } from "../hooks/useFrame";
import type { ReadLoudness } from "../hooks/useLoudness";
import { useReducedMotion } from "../hooks/useReducedMotion";
import { eased, tickLengths, type RingMotion } from "../lib/levels";

const TICKS = 72;
const INNER_RADIUS = 78;
const SHORTEST = 5;
const LONGEST = 34;

export type RingTone = "quiet" | "agent" | "caller" | "trouble";

interface Props {
  readonly motion: RingMotion;
  readonly tone: RingTone;
  /** Drawn softly: whoever speaks has lowered the voice. */
  readonly soft?: boolean;
  readonly read?: ReadLoudness;
  /** What stands inside the ring. */
  readonly children: ReactNode;
}

/** The voice made visible: a ring of ticks that stand out as far as whoever speaks is loud. */
export function VoiceRing({ motion, tone, soft = false, read, children }: Props) {
  const ticks = useRef<SVGGElement>(null);
  const level = useRef(0);
  const calm = useReducedMotion();

  useFrame((seconds) => {
    const group = ticks.current;
    if (!group) return;
    level.current = eased(level.current, read?.() ?? 0);
    const lengths = tickLengths(TICKS, calm ? "still" : motion, level.current, seconds);
    lengths.forEach((length, index) => {
      const end = INNER_RADIUS + SHORTEST + length * (LONGEST - SHORTEST);
      group.children[index]?.setAttribute("x2", end.toFixed(1));
    });
  });

  return (
    <div className="ring" data-tone={tone} data-soft={soft}>
      <svg viewBox="-114 -114 228 228" aria-hidden="true">
        <g ref={ticks}>
          {Array.from({ length: TICKS }, (_, index) => (
            <line
              key={index}
              x1={INNER_RADIUS}
              x2={INNER_RADIUS + SHORTEST}
              y1="0"
              y2="0"
              transform={`rotate(${(index * 360) / TICKS - 90})`}
            />
          ))}
        </g>
      </svg>
      <div className="ring-inside">{children}</div>
    </div>
  );
}
