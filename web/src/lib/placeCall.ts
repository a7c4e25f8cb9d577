/** The way into a call: microphone, session, room. */
import { Room, Track, type LocalAudioTrack, type RoomOptions } from "livekit-client";

import { CallFailure } from "./failure";
import { openMicrophone, SPEECH_CAPTURE } from "./microphone";
import { createSession, endSession, type Session } from "./sessions";

export const ROOM_OPTIONS: RoomOptions = {
  audioCaptureDefaults: SPEECH_CAPTURE,
  // Over one connection for both directions livekit-client 2.23 now and then makes an offer that Chromium refuses
  // ("Transceiver not found based on m-line index"), when the agent's voice arrives while the microphone is published.
  singlePeerConnection: false,
};

export interface CallWish {
  /** A definition's name; undefined for the default agent. */
  readonly agent: string | undefined;
  /** False for a caller who types. */
  readonly microphone: boolean;
  readonly microphoneId: string | undefined;
}

export interface Progress {
  readonly onMicrophone: () => void;
  readonly onSession: () => void;
}

/**
 * Enters the room. Nothing is left behind when it fails or is aborted.
 * Raises CallFailure; after `signal` was aborted, anything.
 */
export async function placeCall(room: Room, wish: CallWish, progress: Progress, signal: AbortSignal): Promise<Session> {
  let microphone: LocalAudioTrack | undefined;
  let session: Session | undefined;
  try {
    if (wish.microphone) {
      progress.onMicrophone();
      microphone = await openMicrophone(wish.microphoneId);
      signal.throwIfAborted();
    }
    progress.onSession();
    session = await createSession(wish.agent, signal);
    await enter(room, session, microphone);
    signal.throwIfAborted();
    return session;
  } catch (error) {
    microphone?.stop();
    await room.disconnect();
    if (session) void endSession(session.id);
    throw error;
  }
}

async function enter(room: Room, session: Session, microphone: LocalAudioTrack | undefined): Promise<void> {
  const { serverUrl, token, iceServers } = session;
  try {
    await room.connect(serverUrl, token, iceServers.length > 0 ? { rtcConfig: { iceServers } } : {});
    if (microphone) await room.localParticipant.publishTrack(microphone, { source: Track.Source.Microphone });
  } catch (error) {
    throw new CallFailure({ kind: "media_unreachable" }, error);
  }
}
