import { useConnectionQualityIndicator } from "@livekit/components-react";
import { ConnectionQuality, type LocalParticipant } from "livekit-client";

const QUALITIES: Readonly<Record<ConnectionQuality, { readonly bars: number; readonly word: string }>> = {
  [ConnectionQuality.Excellent]: { bars: 3, word: "good" },
  [ConnectionQuality.Good]: { bars: 2, word: "fair" },
  [ConnectionQuality.Poor]: { bars: 1, word: "poor" },
  [ConnectionQuality.Lost]: { bars: 0, word: "lost" },
  [ConnectionQuality.Unknown]: { bars: 0, word: "being measured" },
};

export function ConnectionBadge({ participant }: { readonly participant: LocalParticipant }) {
  const { quality } = useConnectionQualityIndicator({ participant });
  const { bars, word } = QUALITIES[quality];
  return (
    <span className="badge" data-quality={quality} title={`Connection: ${word}`}>
      <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
        {[0, 1, 2].map((index) => (
          <rect
            key={index}
            className={index < bars ? "bar lit" : "bar"}
            x={4 + index * 6}
            y={14 - index * 4}
            width="4"
            height={6 + index * 4}
            rx="1.2"
          />
        ))}
      </svg>
      <span className="visually-hidden">Connection {word}</span>
    </span>
  );
}
