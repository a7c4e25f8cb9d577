// @vitest-environment jsdom
import { Room, RoomEvent } from "livekit-client";
import { expect, it } from "vitest";

import { TRANSIT_METHOD, type PlayoutReading } from "./transit";
import { answerTransit, trackLatencyMs, transitAnswer } from "./transitAnswer";

const SILENT = { latencyMs: () => undefined };

/** After `seconds` of speech at 48 kHz that waited 40 ms in the jitter buffer and took 30 ms through the loudspeaker. */
function heard(seconds: number): PlayoutReading {
  const samples = seconds * 48_000;
  return { jitterBuffer: { seconds: samples * 0.04, samples }, loudspeaker: { seconds: samples * 0.03, samples } };
}

/** Gives what it is told to, look for look; afterwards it fails. */
function looks(...readings: PlayoutReading[]) {
  return () => {
    const playout = readings.shift();
    return playout ? Promise.resolve({ playout, microphoneMs: 0 }) : Promise.reject(new Error("the track has gone"));
  };
}

/** All answers, each asked for when the look before it is done. */
async function answers(ask: () => Promise<string>, count: number): Promise<unknown[]> {
  const given: unknown[] = [];
  while (given.length < count) {
    given.push(JSON.parse(await ask()));
    await new Promise<void>((resolve) => {
      setTimeout(resolve);
    });
  }
  return given;
}

it("answers at once with what was known before", async () => {
  const given = await answers(transitAnswer(looks(heard(1), heard(2)), SILENT), 2);
  expect(given).toEqual([{}, { playout_ms: 70, capture_ms: 0 }]);
});

it("lets its last figures stand while nothing is heard, and when the look fails", async () => {
  const given = await answers(transitAnswer(looks(heard(1), heard(1)), SILENT), 4);
  expect(given.slice(1)).toEqual(Array(3).fill({ playout_ms: 70, capture_ms: 0 }));
});

it("asks the loudspeaker where the statistics are silent about it", async () => {
  const mute = { ...heard(1), loudspeaker: { seconds: 0, samples: 0 } };
  const given = await answers(transitAnswer(looks(mute), { latencyMs: () => 20 }), 2);
  expect(given[1]).toEqual({ playout_ms: 60, capture_ms: 0 });
});

it("knows nothing where nothing can be looked at", async () => {
  const given = await answers(transitAnswer(looks(), SILENT), 3);
  expect(given).toEqual([{}, {}, {}]);
});

it("takes the microphone's measured latency before that of its settings", () => {
  const settings = { getSettings: () => ({ latency: 0.02 }) };
  expect(trackLatencyMs({ ...settings, stats: { averageLatency: 12.5 } } as unknown as MediaStreamTrack)).toBe(12.5);
  expect(trackLatencyMs(settings as unknown as MediaStreamTrack)).toBe(20);
  expect(trackLatencyMs({ getSettings: () => ({}) } as unknown as MediaStreamTrack)).toBeUndefined();
});

it("can be asked from entering the room until leaving it, and after a second entry too", () => {
  const room = new Room();
  const claimMethod = () => {
    room.registerRpcMethod(TRANSIT_METHOD, () => Promise.resolve(""));
    room.unregisterRpcMethod(TRANSIT_METHOD);
  };
  answerTransit(room);
  expect(claimMethod).not.toThrow();
  ["first", "second"].forEach(() => {
    room.emit(RoomEvent.Connected);
    expect(claimMethod).toThrow("already registered");
    room.emit(RoomEvent.Disconnected);
    expect(claimMethod).not.toThrow();
  });
});
