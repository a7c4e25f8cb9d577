import { RoomContext } from "@livekit/components-react";
import { useState } from "react";

import { CallScreen } from "./components/CallScreen";
import { Review } from "./components/Review";
import { Welcome } from "./components/Welcome";
import { Wordmark } from "./components/Wordmark";
import { useAgents } from "./hooks/useAgents";
import { useCall } from "./hooks/useCall";
import { rememberedDevice } from "./hooks/useDevices";
import { shownCost } from "./lib/cost";

export function App() {
  const agents = useAgents();
  const [chosen, setChosen] = useState<string>();
  const call = useCall();
  const { phase, room } = call;

  const agent = agents.find((item) => item.name === chosen) ?? agents.find((item) => item.isDefault) ?? agents[0];
  const agentLabel = agent?.label ?? "Agent";

  const place = (microphone: boolean) => {
    // With nothing to choose from, the service's own default is meant.
    const name = agents.length > 1 ? agent?.name : undefined;
    call.start({ agent: name, microphone, microphoneId: rememberedDevice("audioinput") });
  };
  const talk = () => {
    place(true);
  };

  return (
    <div className="app" data-phase={phase.name}>
      <header className="top">
        <Wordmark />
      </header>
      {phase.name === "over" ? (
        <Review
          ending={phase.ending}
          durationMs={phase.durationMs}
          cost={shownCost(call.cost)}
          lines={call.transcript.lines}
          agentLabel={agentLabel}
          onTalk={talk}
        />
      ) : phase.name === "idle" || phase.name === "failed" || !room ? (
        <Welcome
          agents={agents}
          agent={agent}
          failure={phase.name === "failed" ? phase.failure : undefined}
          onAgent={setChosen}
          onTalk={talk}
          onType={() => {
            place(false);
          }}
        />
      ) : (
        <RoomContext value={room}>
          <CallScreen call={call} room={room} agentLabel={agentLabel} />
        </RoomContext>
      )}
    </div>
  );
}
