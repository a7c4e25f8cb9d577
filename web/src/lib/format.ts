/** Numbers for people. */

/** `65_000` is `1:05`; from an hour on `1:00:05`. */
export function clockTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const tail = String(seconds % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** For a screen reader: `1 minute 5 seconds`. */
export function spokenTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const parts = [minutes > 0 ? counted(minutes, "minute") : "", counted(seconds % 60, "second")];
  return parts.filter((part) => part !== "").join(" ");
}

/** `870` is `0.9 s`. Nothing is said to take no time at all. */
export function latency(milliseconds: number): string {
  return milliseconds < 50 ? "< 0.1 s" : `${(milliseconds / 1000).toFixed(1)} s`;
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
