import { RoomAudioRenderer, StartAudio, useConnectionState, useLocalParticipant, useVoiceAssistant } from "@livekit/components-react";
import { ConnectionState, LocalAudioTrack, RemoteAudioTrack, type Room } from "livekit-client";
import { useState } from "react";

import { useAgentWatch } from "../hooks/useAgentWatch";
import { useLoudness } from "../hooks/useLoudness";
import { useMicrophoneSwitch } from "../hooks/useMicrophoneSwitch";
import { useRememberedSpeaker } from "../hooks/useRememberedSpeaker";
import { useSilentMicrophone } from "../hooks/useSilentMicrophone";
import { agentActivity } from "../lib/call";
import { shownCost } from "../lib/cost";
import type { Call } from "../hooks/useCall";
import { Composer } from "./Composer";
import { Controls } from "./Controls";
import { Stage } from "./Stage";
import { StatusBanner } from "./StatusBanner";
import { TranscriptView } from "./TranscriptView";

interface Props {
  readonly call: Call;
  readonly room: Room;
  readonly agentLabel: string;
}

/** From the press of the button to the end of the call. Stands inside the room's context. */
export function CallScreen({ call, room, agentLabel }: Props) {
  const { phase, transcript, sessionId, trouble, ducked, cost } = call;
  const live = phase.name === "live";
  const { agent, agentAttributes, audioTrack } = useVoiceAssistant();
  const { microphoneTrack } = useLocalParticipant();
  const connection = useConnectionState();
  const microphone = useMicrophoneSwitch(room);
  const silent = useSilentMicrophone(room);
  useRememberedSpeaker(room);

  const present = agent !== undefined;
  const met = useEver(present);
  useAgentWatch(sessionId, present, (standing) => {
    if (met) call.abandon(standing?.reason ?? "error");
    else call.fail({ kind: standing ? "session_failed" : "agent_missing" });
  });

  const agentVoice = audioTrack?.publication.track;
  const readAgent = useLoudness(agentVoice instanceof RemoteAudioTrack ? agentVoice : undefined);
  const callerVoice = microphoneTrack?.track;
  const readCaller = useLoudness(callerVoice instanceof LocalAudioTrack ? callerVoice : undefined);

  return (
    <main className="split call">
      <section className="stage" aria-label="Call">
        <Stage
          phase={phase}
          activity={agentActivity(agentAttributes?.["lk.agent.state"], present, met, ducked)}
          agentLabel={agentLabel}
          cost={shownCost(cost)}
          microphone={microphone.state}
          participant={room.localParticipant}
          readAgent={readAgent}
          readCaller={readCaller}
        />
        <StatusBanner
          reconnecting={live && isReconnecting(connection)}
          trouble={trouble}
          silentMicrophone={silent && microphone.state === "on"}
          microphoneFailure={microphone.failure}
        />
        <StartAudio className="secondary start-audio" label="Turn the sound on" />
        <Controls room={room} live={live} microphone={microphone} onHangUp={call.hangUp} />
      </section>
      <section className="talk-column" aria-label="Conversation">
        <TranscriptView
          lines={transcript.lines}
          agentLabel={agentLabel}
          emptyNote="What is said will appear here, word for word."
        />
        <Composer onSend={call.type} disabled={!live || !present} />
      </section>
      <RoomAudioRenderer />
    </main>
  );
}

function isReconnecting(state: ConnectionState): boolean {
  return state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting;
}

/** Whether it has been true once. */
function useEver(now: boolean): boolean {
  const [ever, setEver] = useState(now);
  if (now && !ever) setEver(true);
  return ever;
}
