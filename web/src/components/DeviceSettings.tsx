import type { Room } from "livekit-client";
import { useEffect, useId, useRef, useState } from "react";

import { canChooseSpeaker, useDevices, type AudioDeviceKind } from "../hooks/useDevices";
import { SettingsIcon } from "./icons";

interface Props {
  readonly room: Room;
  /** The caller speaks: there is a microphone to choose. */
  readonly withMicrophone: boolean;
}

/** A button that opens the choice of microphone and speaker. */
export function DeviceSettings({ room, withMicrophone }: Props) {
  const [open, setOpen] = useState(false);
  const panel = useId();
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const onPointer = (event: PointerEvent) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener("pointerdown", onPointer);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
      document.removeEventListener("keydown", onKey);
    };
  }, [open]);

  return (
    <div className="devices" ref={root}>
      <button
        ref={button}
        type="button"
        className="control"
        aria-expanded={open}
        aria-controls={open ? panel : undefined}
        onClick={() => {
          setOpen(!open);
        }}
      >
        <span className="control-face">
          <SettingsIcon />
        </span>
        Devices
      </button>
      {open ? (
        <div className="panel" id={panel} role="group" aria-label="Audio devices">
          {withMicrophone ? <DeviceSelect kind="audioinput" label="Microphone" room={room} /> : null}
          {canChooseSpeaker ? (
            <DeviceSelect kind="audiooutput" label="Speaker" room={room} />
          ) : (
            <p className="panel-note">This browser plays on the device chosen in your system's settings.</p>
          )}
          <p className="panel-note">Echo cancellation, noise suppression and gain control are on.</p>
        </div>
      ) : null}
    </div>
  );
}

interface SelectProps {
  readonly kind: AudioDeviceKind;
  readonly label: string;
  readonly room: Room;
}

function DeviceSelect({ kind, label, room }: SelectProps) {
  const field = useId();
  const { devices, activeId, choose } = useDevices(kind, room);
  const [refused, setRefused] = useState(false);
  const known = devices.some((device) => device.deviceId === activeId);

  const onChoice = async (id: string) => {
    try {
      await choose(id);
      setRefused(false);
    } catch {
      setRefused(true);
    }
  };

  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <select
        id={field}
        value={known ? activeId : ""}
        disabled={devices.length === 0}
        onChange={(event) => void onChoice(event.target.value)}
      >
        {known ? null : <option value="">System default</option>}
        {devices.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
      {refused ? (
        <p className="panel-note" role="alert">
          That device could not be opened. The one before is still in use.
        </p>
      ) : null}
    </div>
  );
}
