/**
 * What the agent's side sends besides its voice, as it arrives in the room: transcripts of both speakers and events.
 *
 * The hooks of components-react are not used for the transcripts: they forget them when the room closes, while the summary
 * still shows them, and never learn that the agent's sentence is complete, which only the end of its stream tells.
 */
import type { Room, TextStreamReader } from "livekit-client";

import { EVENTS_TOPIC, parseEvent, type CallEvent } from "./events";
import type { Speaker, TranscriptAction } from "./transcript";

export const TRANSCRIPTION_TOPIC = "lk.transcription";
export const CHAT_TOPIC = "lk.chat";

const SEGMENT_ATTRIBUTE = "lk.segment_id";
const FINAL_ATTRIBUTE = "lk.transcription_final";

export interface FeedListener {
  readonly onTranscript: (action: TranscriptAction) => void;
  readonly onEvent: (event: CallEvent) => void;
}

/** Must be called before the room is entered, or the first words are missed. */
export function listenTo(room: Room, listener: FeedListener): void {
  room.registerTextStreamHandler(TRANSCRIPTION_TOPIC, (reader, from) => {
    // The agent sends the caller's words in the caller's name.
    const speaker = from.identity === room.localParticipant.identity ? "caller" : "agent";
    void readSegment(reader, speaker, listener.onTranscript);
  });
  room.registerTextStreamHandler(EVENTS_TOPIC, (reader) => {
    void readEvent(reader, listener.onEvent);
  });
}

/** The agent's words come as one growing stream a sentence; the caller's as a stream for every revision of one. */
async function readSegment(
  reader: TextStreamReader,
  speaker: Speaker,
  onTranscript: FeedListener["onTranscript"],
): Promise<void> {
  const id = reader.info.attributes?.[SEGMENT_ATTRIBUTE] ?? reader.info.id;
  const isFinal = () => reader.info.attributes?.[FINAL_ATTRIBUTE] === "true";
  let text = "";
  try {
    for await (const chunk of reader) {
      text += chunk;
      onTranscript({ type: "segment", id, speaker, text, final: isFinal() });
    }
  } catch {
    // The sender has gone in the middle of a sentence: what came of it stands.
  }
  if (speaker === "agent" || isFinal()) onTranscript({ type: "segment.closed", id });
}

async function readEvent(reader: TextStreamReader, onEvent: FeedListener["onEvent"]): Promise<void> {
  try {
    const event = parseEvent(await reader.readAll());
    if (event) onEvent(event);
  } catch {
    // An event that was cut off on the way is lost; the call goes on.
  }
}
