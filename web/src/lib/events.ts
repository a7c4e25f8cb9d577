/** What the agent tells its caller's client on the text-stream topic `vw.events`, one JSON object each. */
import { isObject, numberOf, parseJson, type JsonObject } from "./json";

export const EVENTS_TOPIC = "vw.events";

/** The events this page shows something of. Others are facts for somebody else. */
export type CallEvent =
  /** `firstAudioMs`: from the end of the caller's speech to the first audio; absent when the agent spoke unasked. */
  | { readonly type: "agent.speech_started"; readonly firstAudioMs?: number }
  | { readonly type: "agent.interrupted"; readonly heardText: string; readonly unheardText: string }
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
      const firstAudioMs = numberOf(body.first_audio_ms);
      return firstAudioMs === undefined || firstAudioMs < 0
        ? { type: "agent.speech_started" }
        : { type: "agent.speech_started", firstAudioMs };
    }
    case "agent.interrupted": {
      const { heard_text: heardText, unheard_text: unheardText } = body;
      return typeof heardText === "string" && typeof unheardText === "string"
        ? { type: "agent.interrupted", heardText, unheardText }
        : undefined;
    }
    case "session.ended":
      return typeof body.reason === "string" ? { type: "session.ended", reason: body.reason } : undefined;
    case "error":
      return typeof body.where === "string" ? { type: "error", where: body.where } : undefined;
    default:
      return undefined;
  }
}
