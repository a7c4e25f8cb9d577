/** The caller's microphone: how it is asked for, and what its refusal means. */
import { createLocalAudioTrack, MediaDeviceFailure, type AudioCaptureOptions, type LocalAudioTrack } from "livekit-client";

import { CallFailure, type FailureKind } from "./failure";

/** Speech from a room with a loudspeaker in it: the agent must not hear itself. */
export const SPEECH_CAPTURE = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
} as const satisfies AudioCaptureOptions;

/** Asks the caller for the microphone. Raises CallFailure. */
export async function openMicrophone(deviceId: string | undefined): Promise<LocalAudioTrack> {
  if (!window.isSecureContext) throw new CallFailure({ kind: "microphone_insecure" });
  try {
    return await createLocalAudioTrack(deviceId === undefined ? SPEECH_CAPTURE : { ...SPEECH_CAPTURE, deviceId });
  } catch (error) {
    throw new CallFailure({ kind: microphoneFailure(error) }, error);
  }
}

export function microphoneFailure(error: unknown): FailureKind {
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return "microphone_refused";
    case MediaDeviceFailure.NotFound:
      return "microphone_missing";
    case MediaDeviceFailure.DeviceInUse:
      return "microphone_busy";
    default:
      return "microphone_other";
  }
}
