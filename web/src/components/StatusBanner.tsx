import { useOnline } from "../hooks/useOnline";
import { describeFailure, type FailureKind } from "../lib/failure";

interface Props {
  readonly reconnecting: boolean;
  /** Where the agent's side had a problem: stt, llm, tts, tool or session. */
  readonly trouble: string | undefined;
  readonly silentMicrophone: boolean;
  readonly microphoneFailure: FailureKind | undefined;
}

/** What the caller should know while the call goes on. The gravest thing only. */
export function StatusBanner(props: Props) {
  const message = useMessage(props);
  return (
    <div className="banner" role="status" data-shown={message !== undefined}>
      {message}
    </div>
  );
}

function useMessage({ reconnecting, trouble, silentMicrophone, microphoneFailure }: Props): string | undefined {
  const online = useOnline();
  if (!online) return "You are offline. The call goes on as soon as the network is back.";
  if (reconnecting) return "The connection was lost. Reconnecting…";
  if (microphoneFailure !== undefined) {
    const { title, advice } = describeFailure({ kind: microphoneFailure });
    return `${title}. ${advice}`;
  }
  if (silentMicrophone) return "No sound comes from your microphone. Is it switched off? Another one can be chosen under Devices.";
  return trouble === undefined ? undefined : TROUBLE[trouble] ?? TROUBLE.session;
}

const TROUBLE: Readonly<Record<string, string>> = {
  stt: "The agent has trouble hearing you. Say it again, or type it.",
  llm: "The agent has trouble finding an answer. Give it a moment, or ask again.",
  tts: "The agent has trouble with its voice. Give it a moment.",
  tool: "The agent could not look that up. It may help to ask again.",
  session: "Something went wrong at the agent's side. The call goes on.",
};
