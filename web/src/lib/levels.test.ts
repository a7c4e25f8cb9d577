import { describe, expect, it } from "vitest";

import { eased, loudness, tickLengths } from "./levels";

function tone(amplitude: number): Float32Array {
  return Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 5));
}

describe("loudness", () => {
  it("is nothing in silence and without samples", () => {
    expect(loudness(new Float32Array(1024))).toBe(0);
    expect(loudness(new Float32Array())).toBe(0);
  });

  it("grows with the voice and ends at one", () => {
    expect(loudness(tone(0.01))).toBeLessThan(loudness(tone(0.1)));
    expect(loudness(tone(1))).toBe(1);
  });
});

it("a meter rises faster than it falls", () => {
  expect(eased(0, 1)).toBeGreaterThan(1 - eased(1, 0));
});

describe("the ring", () => {
  it("stands still when nothing moves it", () => {
    expect(tickLengths(8, "still", 1, 3)).toEqual(Array(8).fill(0));
    expect(Math.max(...tickLengths(8, "voice", 0, 3))).toBe(0);
  });

  it("has one highest place that wanders while the caller waits", () => {
    const peak = (seconds: number) => {
      const lengths = tickLengths(72, "sweep", 0, seconds);
      return lengths.indexOf(Math.max(...lengths));
    };
    expect(peak(0)).toBe(0);
    expect(peak(0.5)).toBeGreaterThan(peak(0.25));
  });

  it("never leaves its bounds", () => {
    for (const length of tickLengths(72, "voice", 1, 12.3)) {
      expect(length).toBeGreaterThanOrEqual(0);
      expect(length).toBeLessThanOrEqual(1);
    }
  });
});
