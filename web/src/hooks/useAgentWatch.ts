import { useEffect, useEffectEvent } from "react";

import { readStatus, type SessionStatus } from "../lib/sessions";

const POLL_MS = 2000;

/** The service gives an agent 10 s to join, and a lost one about as long to be replaced. */
const LONGEST_ABSENCE_MS = 25_000;

/**
 * While the agent is not in the room, asks the service what became of it.
 * @param onLost the session is over, or `undefined`: the agent has been away too long, and nobody knows why
 */
export function useAgentWatch(
  sessionId: string | undefined,
  present: boolean,
  onLost: (standing: SessionStatus | undefined) => void,
): void {
  const giveUp = useEffectEvent(onLost);
  useEffect(() => {
    if (present || sessionId === undefined) return;
    const abort = new AbortController();
    const since = performance.now();
    const look = async () => {
      const standing = await readStatus(sessionId, abort.signal);
      if (abort.signal.aborted) return;
      if (standing?.status === "failed" || standing?.status === "ended") giveUp(standing);
      else if (performance.now() - since > LONGEST_ABSENCE_MS) giveUp(undefined);
    };
    const timer = setInterval(() => void look(), POLL_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [sessionId, present]);
}
