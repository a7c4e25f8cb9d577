import { Room, RoomEvent } from "livekit-client";
import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import type { Cost } from "../lib/cost";
import { duckedAfter, idle, reducePhase, type Phase } from "../lib/call";
import { endingOf } from "../lib/ending";
import type { CallEvent } from "../lib/events";
import { CallFailure, type Failure } from "../lib/failure";
import { placeCall, ROOM_OPTIONS, type CallWish } from "../lib/placeCall";
import { CHAT_TOPIC, listenTo } from "../lib/roomFeed";
import { endSession } from "../lib/sessions";
import { emptyTranscript, reduceTranscript, type Transcript } from "../lib/transcript";
import { answerTransit } from "../lib/transitAnswer";

export interface Call {
  readonly phase: Phase;
  readonly transcript: Transcript;
  /** Of the call that is being placed or held, else of the last one. */
  readonly room: Room | undefined;
  readonly sessionId: string | undefined;
  /** What went wrong lately at the agent's side without ending the call: stt, llm, tts, tool or session. */
  readonly trouble: string | undefined;
  /** The agent speaks softly, because somebody speaks over it. */
  readonly ducked: boolean;
  /** What the call has cost so far; undefined while nobody has told. */
  readonly cost: Cost | undefined;
  readonly start: (wish: CallWish) => void;
  readonly hangUp: () => void;
  /** Gives the call up before it was a conversation. */
  readonly fail: (failure: Failure) => void;
  /** Gives the conversation up: the agent is gone for good, for this reason of the API's. */
  readonly abandon: (reason: string) => void;
  /** Types to the agent. Rejects when it could not be sent. */
  readonly type: (text: string) => Promise<void>;
}

/** How long a room may stay open after the agent has said that the session is over. */
const CLOSE_MS = 3000;

interface Current {
  readonly room: Room;
  readonly abort: AbortController;
  sessionId?: string;
  /** The agent's voice has arrived. */
  met?: true;
  /** The agent's last word on why the session ended. */
  endReason?: string;
}

export function useCall(): Call {
  const [phase, changePhase] = useReducer(reducePhase, idle);
  const [transcript, changeTranscript] = useReducer(reduceTranscript, emptyTranscript);
  const [room, setRoom] = useState<Room>();
  const [sessionId, setSessionId] = useState<string>();
  const [trouble, setTrouble] = useState<string>();
  const [ducked, setDucked] = useState(false);
  const [cost, setCost] = useState<Cost>();
  const current = useRef<Current>(undefined);

  const start = useCallback((wish: CallWish) => {
    if (current.current) return;
    const call: Current = { room: new Room(ROOM_OPTIONS), abort: new AbortController() };
    current.current = call;
    setRoom(call.room);
    setSessionId(undefined);
    setTrouble(undefined);
    setDucked(false);
    setCost(undefined);
    changeTranscript({ type: "cleared" });

    listenTo(call.room, { onTranscript: changeTranscript, onEvent: heed });
    answerTransit(call.room);
    call.room.once(RoomEvent.TrackSubscribed, () => {
      call.met = true;
    });
    call.room.once(RoomEvent.Disconnected, (reason) => {
      if (current.current === call) current.current = undefined;
      const ending = endingOf(call.endReason, reason);
      // The service closes the room of an agent that never came.
      if (ending === "closed" && !call.met) changePhase({ type: "failed", failure: { kind: "session_failed" } });
      else changePhase({ type: "ended", ending, at: performance.now() });
    });
    void place();

    async function place() {
      try {
        const session = await placeCall(
          call.room,
          wish,
          {
            onMicrophone: () => { changePhase({ type: "microphone.asked" }); },
            onSession: () => { changePhase({ type: "session.asked" }); },
          },
          call.abort.signal,
        );
        call.sessionId = session.id;
        setSessionId(session.id);
        changePhase({ type: "connected", at: performance.now() });
      } catch (error) {
        if (current.current === call) current.current = undefined;
        if (call.abort.signal.aborted) return;
        if (!(error instanceof CallFailure)) console.error(error);
        const failure: Failure = error instanceof CallFailure ? error.failure : { kind: "server_error" };
        changePhase({ type: "failed", failure });
      }
    }

    function heed(event: CallEvent) {
      changeTranscript({ type: "event", event });
      setDucked((before) => duckedAfter(before, event));
      if (event.type === "usage.updated") setCost(event.cost);
      if (event.type === "error") setTrouble(event.where);
      if (event.type === "agent.speech_started") setTrouble(undefined);
      if (event.type === "session.ended") {
        call.endReason = event.reason;
        setTimeout(() => void call.room.disconnect(), CLOSE_MS);
      }
    }
  }, []);

  const hangUp = useCallback(() => {
    const call = current.current;
    if (!call) return;
    current.current = undefined;
    call.abort.abort();
    changePhase({ type: "cancelled" });
    void leave(call);
  }, []);

  const fail = useCallback((failure: Failure) => {
    const call = current.current;
    if (!call) return;
    current.current = undefined;
    changePhase({ type: "failed", failure });
    void leave(call);
  }, []);

  const abandon = useCallback((reason: string) => {
    const call = current.current;
    if (!call) return;
    call.endReason ??= reason;
    void leave(call);
  }, []);

  const type = useCallback(async (text: string) => {
    const call = current.current;
    if (!call) throw new Error("there is no call to type into");
    const info = await call.room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
    changeTranscript({ type: "typed", id: info.id, text });
  }, []);

  // A caller who closes the page has hung up: the line is free for the next one at once.
  useEffect(() => {
    window.addEventListener("pagehide", hangUp);
    return () => {
      window.removeEventListener("pagehide", hangUp);
      hangUp();
    };
  }, [hangUp]);

  return { phase, transcript, room, sessionId, trouble, ducked, cost, start, hangUp, fail, abandon, type };
}

/** Both begin at once: the page may be closing, and what has not begun then never happens. */
async function leave(call: Current): Promise<void> {
  const left = call.room.disconnect();
  const told = call.sessionId === undefined ? undefined : endSession(call.sessionId);
  await Promise.all([left, told]);
}
