import type { Room } from "livekit-client";

import type { MicrophoneSwitch } from "../hooks/useMicrophoneSwitch";
import { DeviceSettings } from "./DeviceSettings";
import { HangUpIcon, MicrophoneIcon, MicrophoneOffIcon } from "./icons";

interface Props {
  readonly room: Room;
  readonly live: boolean;
  readonly microphone: MicrophoneSwitch;
  readonly onHangUp: () => void;
}

export function Controls({ room, live, microphone, onHangUp }: Props) {
  return (
    <div className="controls" role="group" aria-label="Call controls">
      <MicrophoneButton microphone={microphone} disabled={!live} />
      <DeviceSettings room={room} withMicrophone={microphone.state !== "none"} />
      <button type="button" className="control hang-up" onClick={onHangUp}>
        <span className="control-face">
          <HangUpIcon />
        </span>
        {live ? "Hang up" : "Cancel"}
      </button>
    </div>
  );
}

function MicrophoneButton({ microphone, disabled }: { readonly microphone: MicrophoneSwitch; readonly disabled: boolean }) {
  const { state, toggle } = microphone;
  // The name stays and the state is told by aria-pressed: changing both would say it twice over.
  return (
    <button
      type="button"
      className="control"
      disabled={disabled}
      onClick={toggle}
      {...(state === "none" ? {} : { "aria-pressed": state === "muted", "aria-label": "Mute microphone" })}
    >
      <span className="control-face">{state === "on" ? <MicrophoneIcon /> : <MicrophoneOffIcon />}</span>
      {state === "on" ? "Mute" : state === "muted" ? "Muted" : "Use microphone"}
    </button>
  );
}
