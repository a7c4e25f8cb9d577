/**
 * How long sound takes on this side of the network: from a packet's arrival to the ear, from the mouth to the encoder.
 *
 * The agent's worker cannot measure it, as the SFU ends its connection; so it asks by RPC. See voiceworker/runtime/transit.py.
 */
import { isObject, numberOf } from "./json";

export const TRANSIT_METHOD = "vw.transit";

/** The answer, as the worker reads it. What is not known is left out. */
export interface TransitClaim {
  readonly playout_ms?: number;
  readonly capture_ms?: number;
}

/** A delay summed over all samples that had it, as W3C webrtc-stats counts. */
export interface DelaySum {
  readonly seconds: number;
  readonly samples: number;
}

export interface PlayoutReading {
  /** `jitterBufferDelay` of the inbound audio. */
  readonly jitterBuffer: DelaySum;
  /** `totalPlayoutDelay`: from there to the loudspeaker. No samples where the browser does not tell. */
  readonly loudspeaker: DelaySum;
}

/** From the entries of the reports (`RTCStatsReport`) of all tracks that are heard. */
export function readPlayout(entries: Iterable<unknown>): PlayoutReading {
  let [jitterBuffer, loudspeaker] = [NONE, NONE];
  for (const entry of entries) {
    if (!isObject(entry) || entry.kind !== "audio") continue;
    if (entry.type === "inbound-rtp") jitterBuffer = plus(jitterBuffer, entry.jitterBufferDelay, entry.jitterBufferEmittedCount);
    if (entry.type === "media-playout") loudspeaker = plus(loudspeaker, entry.totalPlayoutDelay, entry.totalSamplesCount);
  }
  return { jitterBuffer, loudspeaker };
}

const NONE: DelaySum = { seconds: 0, samples: 0 };

function plus(sum: DelaySum, seconds: unknown, samples: unknown): DelaySum {
  return { seconds: sum.seconds + (numberOf(seconds) ?? 0), samples: sum.samples + (numberOf(samples) ?? 0) };
}

/** Mean delay of the samples between two readings; undefined when there were none. */
export function meanDelayMs(earlier: DelaySum | undefined, later: DelaySum): number | undefined {
  // After a reconnection the browser counts from nothing again.
  const since = earlier && earlier.samples <= later.samples ? earlier : NONE;
  const samples = later.samples - since.samples;
  return samples > 0 ? Math.max(0, ((later.seconds - since.seconds) / samples) * 1000) : undefined;
}

/** The worker counts a frame of 10 ms itself. */
const FRAME_MS = 10;

/** What the microphone takes beyond that. */
export function captureMs(latencyMs: number | undefined): number | undefined {
  return latencyMs === undefined || latencyMs < 0 ? undefined : Math.max(0, latencyMs - FRAME_MS);
}

/** `loudspeakerMs` is left out of the sum where it is not known. */
export function claim(
  jitterBufferMs: number | undefined,
  loudspeakerMs: number | undefined,
  microphoneMs: number | undefined,
): TransitClaim {
  return {
    ...(jitterBufferMs === undefined ? {} : { playout_ms: tenths(jitterBufferMs + (loudspeakerMs ?? 0)) }),
    ...(microphoneMs === undefined ? {} : { capture_ms: tenths(microphoneMs) }),
  };
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
