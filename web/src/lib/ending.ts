/** Why a call that had begun is over, and how that is said. */
import { DisconnectReason } from "livekit-client";

import type { Wording } from "./failure";

export type Ending =
  | "caller_hung_up"
  | "agent_hung_up"
  | "caller_silent"
  | "time_limit"
  | "budget_spent"
  | "models_down"
  | "service_stopped"
  | "agent_failed"
  | "joined_elsewhere"
  | "connection_lost"
  | "closed";

const BY_SESSION: Readonly<Record<string, Ending>> = {
  caller_left: "caller_hung_up",
  agent_hung_up: "agent_hung_up",
  caller_silent: "caller_silent",
  time_limit: "time_limit",
  budget_spent: "budget_spent",
  models_down: "models_down",
  worker_shutdown: "service_stopped",
  error: "agent_failed",
};

const BY_DISCONNECT: Readonly<Partial<Record<DisconnectReason, Ending>>> = {
  [DisconnectReason.CLIENT_INITIATED]: "caller_hung_up",
  [DisconnectReason.DUPLICATE_IDENTITY]: "joined_elsewhere",
  [DisconnectReason.SERVER_SHUTDOWN]: "service_stopped",
  [DisconnectReason.PARTICIPANT_REMOVED]: "closed",
  [DisconnectReason.ROOM_DELETED]: "closed",
  [DisconnectReason.ROOM_CLOSED]: "closed",
};

/**
 * @param sessionReason what the agent said last (`session.ended`): it knows better than the network
 * @param disconnect what the network says; undefined when the connection just broke
 */
export function endingOf(sessionReason: string | undefined, disconnect: DisconnectReason | undefined): Ending {
  const said = sessionReason === undefined ? undefined : BY_SESSION[sessionReason];
  return said ?? (disconnect === undefined ? undefined : BY_DISCONNECT[disconnect]) ?? "connection_lost";
}

const WORDING: Readonly<Record<Ending, Wording>> = {
  caller_hung_up: { title: "Call ended", advice: "You hung up." },
  agent_hung_up: { title: "Call ended", advice: "The agent said goodbye." },
  caller_silent: { title: "Call ended", advice: "Nothing was heard for a while, so the agent hung up." },
  time_limit: { title: "Call ended", advice: "The time for one call was used up." },
  budget_spent: { title: "Call ended", advice: "What a call may cost was used up." },
  models_down: { title: "The agent had to stop", advice: "The services behind it do not answer. Please call again later." },
  service_stopped: { title: "The service was stopped", advice: "The call ended with it. Try again in a moment." },
  agent_failed: { title: "The agent had to stop", advice: "Something went wrong on our side. Please call again." },
  joined_elsewhere: { title: "Call moved", advice: "The same call was opened in another place." },
  connection_lost: {
    title: "Connection lost",
    advice: "The call could not be picked up again. Check your network, then call again.",
  },
  closed: { title: "Call ended", advice: "The call was closed by the service." },
};

export function describeEnding(ending: Ending): Wording {
  return WORDING[ending];
}
