import { DisconnectReason } from "livekit-client";
import { expect, it } from "vitest";

import { describeEnding, endingOf } from "./ending";

it("believes the agent before the network", () => {
  expect(endingOf("agent_hung_up", DisconnectReason.ROOM_DELETED)).toBe("agent_hung_up");
  expect(endingOf("time_limit", undefined)).toBe("time_limit");
  expect(endingOf("budget_spent", DisconnectReason.ROOM_DELETED)).toBe("budget_spent");
  expect(endingOf("models_down", DisconnectReason.ROOM_DELETED)).toBe("models_down");
});

it("asks the network when the agent gave no reason, or one that is unknown here", () => {
  expect(endingOf(undefined, DisconnectReason.CLIENT_INITIATED)).toBe("caller_hung_up");
  expect(endingOf("room_closed", DisconnectReason.ROOM_DELETED)).toBe("closed");
  expect(endingOf(undefined, DisconnectReason.SERVER_SHUTDOWN)).toBe("service_stopped");
});

it("calls the rest a lost connection", () => {
  expect(endingOf(undefined, undefined)).toBe("connection_lost");
  expect(endingOf(undefined, DisconnectReason.UNKNOWN_REASON)).toBe("connection_lost");
  expect(describeEnding("connection_lost").advice).toContain("Check your network");
});
