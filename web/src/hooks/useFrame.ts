import { useEffect, useEffectEvent } from "react";

/** Calls `paint` with a clock in seconds for every frame the browser draws, as long as the component is there. */
export function useFrame(paint: (seconds: number) => void): void {
  const onFrame = useEffectEvent(paint);
  useEffect(() => {
    let handle = 0;
    const loop = (milliseconds: number) => {
      onFrame(milliseconds / 1000);
      handle = requestAnimationFrame(loop);
    };
    handle = requestAnimationFrame(loop);
    return () => {
      cancelAnimationFrame(handle);
    };
  }, []);
}
