import { useId, useState, type KeyboardEvent, type SubmitEvent } from "react";

import { SendIcon } from "./icons";

/** What the agent takes at once; longer ones it declines. */
const LONGEST_CHARACTERS = 2000;

interface Props {
  /** Rejects when it could not be sent. */
  readonly onSend: (text: string) => Promise<void>;
  readonly disabled: boolean;
}

export function Composer({ onSend, disabled }: Props) {
  const field = useId();
  const [text, setText] = useState("");
  const [unsent, setUnsent] = useState(false);
  const ready = text.trim() !== "" && !disabled;

  const send = async () => {
    if (!ready) return;
    const wording = text.trim();
    setText("");
    try {
      await onSend(wording);
      setUnsent(false);
    } catch {
      setText(wording);
      setUnsent(true);
    }
  };
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault();
    void send();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter confirms a word in an input method before it may send.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };

  return (
    <form className="composer" onSubmit={onSubmit}>
      <label className="visually-hidden" htmlFor={field}>
        Message to the agent
      </label>
      <textarea
        id={field}
        rows={1}
        value={text}
        maxLength={LONGEST_CHARACTERS}
        placeholder="Or type here"
        enterKeyHint="send"
        autoComplete="off"
        aria-describedby={unsent ? `${field}-unsent` : undefined}
        onChange={(event) => {
          setText(event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
      <button type="submit" className="send" disabled={!ready} aria-label="Send message">
        <SendIcon />
      </button>
      {unsent ? (
        <p className="composer-note" id={`${field}-unsent`} role="alert">
          That was not sent. Try again.
        </p>
      ) : null}
    </form>
  );
}
