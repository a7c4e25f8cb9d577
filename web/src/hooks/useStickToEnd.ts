import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

/** Near enough to the end to count as reading along. */
const NEAR_PIXELS = 48;

export interface EndFollower {
  readonly box: RefObject<HTMLDivElement | null>;
  /** The reader has scrolled back. */
  readonly behind: boolean;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
}

/** Keeps a scrolling box at its end while `content` grows, unless the reader has scrolled back. */
export function useStickToEnd(content: unknown): EndFollower {
  const box = useRef<HTMLDivElement>(null);
  const [behind, setBehind] = useState(false);

  const toEnd = useCallback(() => {
    scrollToEnd(box.current);
    setBehind(false);
  }, []);

  const onScroll = useCallback(() => {
    const element = box.current;
    if (element) setBehind(element.scrollHeight - element.scrollTop - element.clientHeight > NEAR_PIXELS);
  }, []);

  useEffect(() => {
    if (!behind) scrollToEnd(box.current);
  }, [behind, content]);

  return { box, behind, onScroll, toEnd };
}

function scrollToEnd(element: HTMLElement | null): void {
  if (element) element.scrollTop = element.scrollHeight;
}
