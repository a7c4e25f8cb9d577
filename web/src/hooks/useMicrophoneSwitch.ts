import { useLocalParticipant } from "@livekit/components-react";
import type { Room } from "livekit-client";
import { useCallback, useState } from "react";

import type { FailureKind } from "../lib/failure";
import { microphoneFailure, SPEECH_CAPTURE } from "../lib/microphone";

/** `none`: the caller types and has given no microphone. */
export type MicrophoneState = "none" | "on" | "muted";

export interface MicrophoneSwitch {
  readonly state: MicrophoneState;
  /** Why it could not be switched on just now. */
  readonly failure: FailureKind | undefined;
  /** Mutes, unmutes, or asks for a microphone where there is none. */
  readonly toggle: () => void;
}

export function useMicrophoneSwitch(room: Room): MicrophoneSwitch {
  const { isMicrophoneEnabled, microphoneTrack } = useLocalParticipant({ room });
  const [failure, setFailure] = useState<FailureKind>();

  const toggle = useCallback(() => {
    void (async () => {
      try {
        await room.localParticipant.setMicrophoneEnabled(!isMicrophoneEnabled, SPEECH_CAPTURE);
        setFailure(undefined);
      } catch (error) {
        setFailure(microphoneFailure(error));
      }
    })();
  }, [room, isMicrophoneEnabled]);

  const state = microphoneTrack === undefined ? "none" : isMicrophoneEnabled ? "on" : "muted";
  return { state, failure, toggle };
}
