import { createAudioAnalyser, TrackEvent, type LocalAudioTrack, type RemoteAudioTrack } from "livekit-client";
import { useCallback, useEffect, useRef, useState } from "react";

import { loudness } from "../lib/levels";

/** Reads how loud the track is at this moment, 0 to 1. To be called while painting: it renders nothing. */
export type ReadLoudness = () => number;

export function useLoudness(track: LocalAudioTrack | RemoteAudioTrack | undefined): ReadLoudness {
  const analyser = useRef<AnalyserNode>(undefined);
  const restarts = useRestarts(track);
  useEffect(() => {
    if (!track) return;
    const made = createAudioAnalyser(track, { fftSize: 1024 });
    analyser.current = made.analyser;
    return () => {
      analyser.current = undefined;
      void made.cleanup();
    };
  }, [track, restarts]);

  return useCallback(() => {
    if (!analyser.current) return 0;
    const samples = new Float32Array(analyser.current.fftSize);
    analyser.current.getFloatTimeDomainData(samples);
    return loudness(samples);
  }, []);
}

/** Another device is another stream under the same track. */
function useRestarts(track: LocalAudioTrack | RemoteAudioTrack | undefined): number {
  const [restarts, setRestarts] = useState(0);
  useEffect(() => {
    const count = () => {
      setRestarts((known) => known + 1);
    };
    track?.on(TrackEvent.Restarted, count);
    return () => {
      track?.off(TrackEvent.Restarted, count);
    };
  }, [track]);
  return restarts;
}
