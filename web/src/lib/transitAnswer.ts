/** Answers the agent's question how long sound takes on the caller's side: the browser's part of lib/transit.ts. */
import { RemoteAudioTrack, RoomEvent, Track, type Room } from "livekit-client";

import { isObject, numberOf } from "./json";
import { captureMs, claim, meanDelayMs, readPlayout, TRANSIT_METHOD, type PlayoutReading, type TransitClaim } from "./transit";

/** From entering the room until leaving it. Never throws: what goes wrong is not known. */
export function answerTransit(room: Room): void {
  room.on(RoomEvent.Connected, () => {
    const outlet = new Outlet();
    room.unregisterRpcMethod(TRANSIT_METHOD); // registering twice would be an error
    room.registerRpcMethod(TRANSIT_METHOD, transitAnswer(() => look(room), outlet));
    room.once(RoomEvent.Disconnected, () => {
      room.unregisterRpcMethod(TRANSIT_METHOD);
      outlet.close();
    });
  });
}

interface Look {
  readonly playout: PlayoutReading;
  readonly microphoneMs: number | undefined;
}

interface Loudspeaker {
  /** Its latency where the statistics are silent about it. */
  readonly latencyMs: () => number | undefined;
}

/**
 * The handler. It answers with what it knew before and looks afterwards, so that the round trip, which the worker measures
 * by it, does not grow by the time of the look. The worker asks every second: nothing here is older.
 */
export function transitAnswer(look: () => Promise<Look>, loudspeaker: Loudspeaker): () => Promise<string> {
  let known: TransitClaim = {};
  let jitterBufferMs: number | undefined;
  let loudspeakerMs: number | undefined;
  let earlier: PlayoutReading | undefined;
  let looking = false;

  const renew = async () => {
    if (looking) return;
    looking = true;
    try {
      const { playout, microphoneMs } = await look();
      // Nothing was heard in between: the last figures stand.
      jitterBufferMs = meanDelayMs(earlier?.jitterBuffer, playout.jitterBuffer) ?? jitterBufferMs;
      loudspeakerMs = meanDelayMs(earlier?.loudspeaker, playout.loudspeaker) ?? loudspeakerMs;
      earlier = playout;
      known = claim(jitterBufferMs, loudspeakerMs ?? loudspeaker.latencyMs(), microphoneMs);
    } catch {
      // A track that has just gone cannot be asked.
    } finally {
      looking = false;
    }
  };

  return () => {
    void renew();
    return Promise.resolve(JSON.stringify(known));
  };
}

async function look(room: Room): Promise<Look> {
  const tracks = [...room.remoteParticipants.values()]
    .filter((participant) => participant.isAgent)
    .flatMap((agent) => [...agent.audioTrackPublications.values()])
    .flatMap(({ track }) => (track instanceof RemoteAudioTrack ? track : []));
  const reports = await Promise.all(tracks.map((track) => track.getRTCStatsReport()));
  const entries = reports.flatMap((report): unknown[] => (report ? [...report.values()] : []));
  const microphone = room.localParticipant.getTrackPublication(Track.Source.Microphone)?.track;
  return { playout: readPlayout(entries), microphoneMs: captureMs(microphone && trackLatencyMs(microphone.mediaStreamTrack)) };
}

/** As measured (Media Capture Extensions, MediaStreamTrackAudioStats), else as the device was opened. */
export function trackLatencyMs(track: MediaStreamTrack): number | undefined {
  const stats: unknown = "stats" in track ? track.stats : undefined;
  const measured = isObject(stats) ? numberOf(stats.averageLatency) : undefined;
  if (measured !== undefined) return measured;
  const settings: MediaTrackSettings & { readonly latency?: unknown } = track.getSettings();
  const seconds = numberOf(settings.latency);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** The way out of the browser, as an AudioContext tells it, which is made when it is first asked for. */
class Outlet implements Loudspeaker {
  #context: AudioContext | undefined;
  #closed = false;

  latencyMs(): number | undefined {
    if (this.#closed) return undefined; // a look may outlast the call
    this.#context ??= new AudioContext();
    const { outputLatency, baseLatency } = this.#context as Partial<AudioContext>;
    // An outlet that is not running yet tells 0.
    const seconds = [outputLatency, baseLatency].map(numberOf).find((value) => value !== undefined && value > 0);
    return seconds === undefined ? undefined : seconds * 1000;
  }

  close(): void {
    this.#closed = true;
    void this.#context?.close().catch(() => undefined);
  }
}
