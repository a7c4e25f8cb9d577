import { useId } from "react";

import type { Agent } from "../lib/agents";
import { canTypeInstead, describeFailure, type Failure } from "../lib/failure";
import { KeyboardIcon, MicrophoneIcon } from "./icons";
import { Notice } from "./Notice";
import { VoiceRing } from "./VoiceRing";

interface Props {
  readonly agents: readonly Agent[];
  readonly agent: Agent | undefined;
  readonly failure: Failure | undefined;
  readonly onAgent: (name: string) => void;
  readonly onTalk: () => void;
  readonly onType: () => void;
}

/** Before a call: whom to call, and the button. */
export function Welcome({ agents, agent, failure, onAgent, onTalk, onType }: Props) {
  return (
    <main className="welcome">
      <h1>{agent ? `Talk to ${agent.label}` : "Talk to us"}</h1>
      <p className="lead">An automatic assistant answers, right here in the browser.</p>
      {failure ? <Notice wording={describeFailure(failure)} /> : null}
      {agents.length > 1 ? <AgentSelect agents={agents} agent={agent} onAgent={onAgent} /> : null}
      <VoiceRing motion="still" tone={failure ? "trouble" : "quiet"}>
        <button type="button" className="talk" onClick={onTalk}>
          <MicrophoneIcon />
          {failure ? "Try again" : "Talk"}
        </button>
      </VoiceRing>
      <button
        type="button"
        className={failure && canTypeInstead(failure) ? "secondary" : "quiet-button"}
        onClick={onType}
      >
        <KeyboardIcon />
        Type instead
      </button>
      <p className="small">Your browser will ask for the microphone. You can interrupt at any time.</p>
    </main>
  );
}

type SelectProps = Pick<Props, "agents" | "agent" | "onAgent">;

function AgentSelect({ agents, agent, onAgent }: SelectProps) {
  const field = useId();
  return (
    <div className="field agent-choice">
      <label htmlFor={field}>Who do you want to talk to?</label>
      <select
        id={field}
        value={agent?.name}
        onChange={(event) => {
          onAgent(event.target.value);
        }}
      >
        {agents.map((item) => (
          <option key={item.name} value={item.name}>
            {item.language === "" ? item.label : `${item.label} (${item.language})`}
          </option>
        ))}
      </select>
    </div>
  );
}
