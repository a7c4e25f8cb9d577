import { useEffect, useEffectEvent } from "react";

import type { Failure } from "../lib/failure";
import { readStatus } from "../lib/sessions";

const POLL_MS = 2000;

/** The service gives an agent 10 s to join, and a lost one about as long to be replaced. */
const LONGEST_ABSENCE_MS = 25_000;

/** While the agent is not in the room, asks the service what became of it, and gives up when it says so or takes too long. */
export function useAgentWatch(
  sessionId: string | undefined,
  present: boolean,
  onLost: (failure: Failure) => void,
): void {
  const giveUp = useEffectEvent(onLost);
  useEffect(() => {
    if (present || sessionId === undefined) return;
    const abort = new AbortController();
    const since = performance.now();
    const timer = setInterval(() => {
      void (async () => {
        const standing = await readStatus(sessionId, abort.signal);
        if (abort.signal.aborted) return;
        if (standing?.status === "failed") {
          giveUp(standing.reason === undefined ? { kind: "session_failed" } : { kind: "session_failed", reason: standing.reason });
        } else if (performance.now() - since > LONGEST_ABSENCE_MS) {
          giveUp({ kind: "agent_missing" });
        }
      })();
    }, POLL_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [sessionId, present]);
}
