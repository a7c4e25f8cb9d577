import { Room } from "livekit-client";
import { useEffect } from "react";

import { canChooseSpeaker, rememberedDevice } from "./useDevices";

/** Plays the call on the speaker chosen last, when it is there. */
export function useRememberedSpeaker(room: Room): void {
  useEffect(() => {
    const wanted = rememberedDevice("audiooutput");
    if (!canChooseSpeaker || wanted === undefined) return;
    void (async () => {
      try {
        const devices = await Room.getLocalDevices("audiooutput", false);
        if (devices.some((device) => device.deviceId === wanted)) await room.switchActiveDevice("audiooutput", wanted);
      } catch {
        // The system's own choice is as good.
      }
    })();
  }, [room]);
}
