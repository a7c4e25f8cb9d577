/** What the agent tells its caller's client on the text-stream topic `vw.events`, one JSON object each. */
import { isObject, parseJson, type JsonObject } from "./json";
import { readLatency, type AnswerLatency } from "./latency";
import { readCost, type Cost } from "./cost";

export const EVENTS_TOPIC = "vw.events";

/** The events this page shows something of. Others are facts for somebody else. */
export type CallEvent =
  /** `latency`: absent when the agent spoke unasked. */
  | { readonly type: "agent.speech_started"; readonly latency?: AnswerLatency }
  | { readonly type: "agent.speech_stopped" }
  /** The agent has lowered its voice, because somebody spoke over it. */
  | { readonly type: "agent.ducked" }
  /** It goes on as before. */
  | { readonly type: "agent.restored" }
  | { readonly type: "agent.interrupted"; readonly heardText: string; readonly unheardText: string }
  /** What the call has cost since it began. */
  | { readonly type: "usage.updated"; readonly cost: Cost }
  | { readonly type: "session.ended"; readonly reason: string }
  /** `where`: stt | llm | tts | tool | session */
  | { readonly type: "error"; readonly where: string };

/** The event in `text`, or undefined when it is of a type unknown here or not well formed. */
export function parseEvent(text: string): CallEvent | undefined {
  const body = parseJson(text);
  return isObject(body) ? eventOf(body) : undefined;
}

function eventOf(body: JsonObject): CallEvent | undefined {
  switch (body.type) {
    case "agent.speech_started": {
      const latency = readLatency(body.first_audio_ms, body.parts);
      return latency ? { type: "agent.speech_started", latency } : { type: "agent.speech_started" };
    }
    case "agent.speech_stopped":
    case "agent.ducked":
    case "agent.restored":
      return { type: body.type };
    case "agent.interrupted": {
      const { heard_text: heardText, unheard_text: unheardText } = body;
      return typeof heardText === "string" && typeof unheardText === "string"
        ? { type: "agent.interrupted", heardText, unheardText }
        : undefined;
    }
    case "usage.updated": {
      const cost = readCost(body.cost, body.currency);
      return cost ? { type: "usage.updated", cost } : undefined;
    }
    case "session.ended":
      return typeof body.reason === "string" ? { type: "session.ended", reason: body.reason } : undefined;
    case "error":
      return typeof body.where === "string" ? { type: "error", where: body.where } : undefined;
    default:
      return undefined;
  }
}
