import { useEffect, useRef, type RefObject } from "react";

/** Moves the focus to the element when it appears: the button that led here is gone, and the keyboard with it. */
export function useArrivalFocus<T extends HTMLElement>(): RefObject<T | null> {
  const element = useRef<T>(null);
  useEffect(() => {
    element.current?.focus({ preventScroll: true });
  }, []);
  return element;
}
