import { useSyncExternalStore } from "react";

/** Whether the machine has a network at all. A page on this machine itself needs none. */
export function useOnline(): boolean {
  return useSyncExternalStore(subscribe, () => navigator.onLine || isLoopback(location.hostname));
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("online", onChange);
  window.addEventListener("offline", onChange);
  return () => {
    window.removeEventListener("online", onChange);
    window.removeEventListener("offline", onChange);
  };
}
