import { describe, expect, it } from "vitest";

import { captureMs, claim, meanDelayMs, readPlayout } from "./transit";

const INBOUND = { type: "inbound-rtp", kind: "audio", jitterBufferDelay: 14_572.8, jitterBufferEmittedCount: 269_760 };
const PLAYOUT = { type: "media-playout", kind: "audio", totalPlayoutDelay: 9225.4, totalSamplesCount: 307_818 };

describe("the statistics of the connection", () => {
  it("tell of the jitter buffer and of the loudspeaker", () => {
    expect(readPlayout([PLAYOUT, INBOUND, { type: "codec" }])).toEqual({
      jitterBuffer: { seconds: 14_572.8, samples: 269_760 },
      loudspeaker: { seconds: 9225.4, samples: 307_818 },
    });
  });

  it("are summed over all voices that are heard", () => {
    expect(readPlayout([INBOUND, INBOUND]).jitterBuffer.samples).toBe(2 * 269_760);
  });

  it.each([
    [],
    [null, 4, "inbound-rtp"],
    [{ ...INBOUND, kind: "video" }],
    [{ type: "inbound-rtp", kind: "audio", jitterBufferDelay: "4" }],
  ])("may be %j, and nothing is known", (...entries) => {
    const nothing = { seconds: 0, samples: 0 };
    expect(readPlayout(entries)).toEqual({ jitterBuffer: nothing, loudspeaker: nothing });
  });
});

describe("the mean delay", () => {
  it("is that of the samples between two readings", () => {
    expect(meanDelayMs({ seconds: 1000, samples: 48_000 }, { seconds: 1000 + 48_000 * 0.045, samples: 96_000 })).toBeCloseTo(45);
  });

  it("is that of all samples where there was no earlier reading, or the browser has begun again", () => {
    const later = { seconds: 480, samples: 16_000 };
    expect(meanDelayMs(undefined, later)).toBeCloseTo(30);
    expect(meanDelayMs({ seconds: 9000, samples: 90_000 }, later)).toBeCloseTo(30);
  });

  it("is not known where nothing was heard", () => {
    const still = { seconds: 480, samples: 16_000 };
    expect(meanDelayMs(still, still)).toBeUndefined();
    expect(meanDelayMs(undefined, { seconds: 0, samples: 0 })).toBeUndefined();
  });
});

it("counts of the microphone what is beyond a frame", () => {
  expect([25, 10, 0.2, -1, undefined].map(captureMs)).toEqual([15, 0, 0, undefined, undefined]);
});

it("claims nothing that is not known", () => {
  expect(claim(45.04, 30.01, 2)).toEqual({ playout_ms: 75.1, capture_ms: 2 });
  expect(claim(45, undefined, undefined)).toEqual({ playout_ms: 45 });
  expect(claim(undefined, 30, 0)).toEqual({ capture_ms: 0 });
  expect(claim(undefined, undefined, undefined)).toEqual({});
});
