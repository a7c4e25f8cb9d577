/** From samples and spectra to what is drawn. All values run from 0 to 1. */

const QUIETEST_DB = -55;
const LOUDEST_DB = -12;

/** Loudness of time-domain samples (-1 to 1), on a scale of decibels: speech at a usual distance is about 0.6. */
export function loudness(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return clamp((decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB));
}

/** Meters rise at once and fall slowly, or they flicker. */
export function eased(previous: number, target: number): number {
  return target > previous ? previous + (target - previous) * 0.6 : previous + (target - previous) * 0.18;
}

export type RingMotion = "still" | "sweep" | "voice";

/**
 * How far each tick of the ring stands out.
 * @param level loudness of whoever speaks
 * @param seconds a clock, for what moves by itself
 */
export function tickLengths(count: number, motion: RingMotion, level: number, seconds: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const turn = index / count;
    if (motion === "still") return 0;
    if (motion === "sweep") return bump(distance(turn, (seconds * 0.55) % 1), 0.09) * 0.55;
    // Three slow waves of different pace, so that no two moments look alike; the voice lifts them all.
    const wave =
      Math.sin(2 * Math.PI * (3 * turn + seconds * 0.9)) +
      Math.sin(2 * Math.PI * (5 * turn - seconds * 1.3)) +
      Math.sin(2 * Math.PI * (8 * turn + seconds * 0.5));
    return clamp(level * (0.55 + 0.15 * wave));
  });
}

function distance(one: number, other: number): number {
  const gap = Math.abs(one - other);
  return Math.min(gap, 1 - gap);
}

function bump(gap: number, width: number): number {
  return Math.exp(-((gap / width) ** 2));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
