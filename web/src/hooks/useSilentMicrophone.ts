import { RoomEvent, type Room } from "livekit-client";
import { useEffect, useState } from "react";

/** The microphone is open and gives nothing at all: a switch on its cable, or the wrong device. */
export function useSilentMicrophone(room: Room): boolean {
  const [silent, setSilent] = useState(false);
  useEffect(() => {
    const onSilence = () => {
      setSilent(true);
    };
    const onChange = () => {
      setSilent(false);
    };
    room.on(RoomEvent.LocalAudioSilenceDetected, onSilence);
    room.on(RoomEvent.ActiveDeviceChanged, onChange);
    room.on(RoomEvent.ActiveSpeakersChanged, onSpeakers);
    return () => {
      room.off(RoomEvent.LocalAudioSilenceDetected, onSilence);
      room.off(RoomEvent.ActiveDeviceChanged, onChange);
      room.off(RoomEvent.ActiveSpeakersChanged, onSpeakers);
    };

    function onSpeakers() {
      if (room.localParticipant.isSpeaking) setSilent(false);
    }
  }, [room]);
  return silent;
}
