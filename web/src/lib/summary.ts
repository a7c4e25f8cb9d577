/** What a call came to. */
import type { Line } from "./transcript";

export interface Summary {
  readonly callerTurns: number;
  /** Median over the answers it was measured for; undefined when there was none. */
  readonly medianFirstAudioMs: number | undefined;
}

export function summarise(lines: readonly Line[]): Summary {
  return {
    callerTurns: lines.filter((line, index) => line.speaker === "caller" && lines[index - 1]?.speaker !== "caller").length,
    medianFirstAudioMs: median(lines.flatMap((line) => line.latency?.totalMs ?? [])),
  };
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** The conversation as plain text, one line a turn, for the clipboard. */
export function plainText(lines: readonly Line[], agentLabel: string): string {
  return lines
    .map((line) => {
      const who = line.speaker === "agent" ? agentLabel : "You";
      return `${who}: ${line.text.trim()}${line.interrupted ? " —" : ""}`;
    })
    .join("\n");
}
