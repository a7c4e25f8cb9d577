import { useEffect, useState } from "react";

import { AGENTS_PATH, parseAgents, type Agent } from "../lib/agents";

/** Who can be called; empty until it is known, and when it cannot be learned: then the default agent is called. */
export function useAgents(): readonly Agent[] {
  const [agents, setAgents] = useState<readonly Agent[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    void (async () => {
      try {
        const response = await fetch(AGENTS_PATH, { signal: abort.signal });
        if (response.ok) setAgents(parseAgents(await response.json()));
      } catch {
        // The call itself will say what is wrong.
      }
    })();
    return () => {
      abort.abort();
    };
  }, []);
  return agents;
}
