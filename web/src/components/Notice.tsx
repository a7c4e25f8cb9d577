import type { Wording } from "../lib/failure";
import { WarningIcon } from "./icons";

/** Something went wrong: what it is, and what to do. Read out at once. */
export function Notice({ wording }: { readonly wording: Wording }) {
  return (
    <div className="notice" role="alert">
      <WarningIcon />
      <div>
        <h2>{wording.title}</h2>
        <p>{wording.advice}</p>
      </div>
    </div>
  );
}
