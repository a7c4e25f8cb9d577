import { useMediaDeviceSelect } from "@livekit/components-react";
import { supportsAudioOutputSelection, type Room } from "livekit-client";
import { useCallback } from "react";

const KEYS = { audioinput: "voiceworker.microphone", audiooutput: "voiceworker.speaker" } as const;

export type AudioDeviceKind = keyof typeof KEYS;

export interface DeviceChoice {
  readonly devices: readonly MediaDeviceInfo[];
  readonly activeId: string;
  /** Rejects when the device cannot be opened. */
  readonly choose: (id: string) => Promise<void>;
}

/** The devices of one kind and the one in use; a choice is remembered for the next call. */
export function useDevices(kind: AudioDeviceKind, room: Room): DeviceChoice {
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind, room });
  const choose = useCallback(
    async (id: string) => {
      await setActiveMediaDevice(id);
      remember(kind, id);
    },
    [kind, setActiveMediaDevice],
  );
  return { devices: devices.filter((device) => device.deviceId !== ""), activeId: activeDeviceId, choose };
}

export const canChooseSpeaker: boolean = supportsAudioOutputSelection();

/** The device chosen last, or undefined. It may be gone since. */
export function rememberedDevice(kind: AudioDeviceKind): string | undefined {
  try {
    return localStorage.getItem(KEYS[kind]) ?? undefined;
  } catch {
    return undefined; // a browser that keeps nothing
  }
}

function remember(kind: AudioDeviceKind, id: string): void {
  try {
    localStorage.setItem(KEYS[kind], id);
  } catch {
    // a browser that keeps nothing
  }
}
