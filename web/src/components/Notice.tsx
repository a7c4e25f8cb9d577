import type { ReactNode } from "react";

import type { Wording } from "../lib/failure";
import { WarningIcon } from "./icons";

interface Props {
  readonly wording: Wording;
  readonly children?: ReactNode;
}

/** Something went wrong: what it is, and what to do. Read out at once. */
export function Notice({ wording, children }: Props) {
  return (
    <div className="notice" role="alert">
      <WarningIcon />
      <div>
        <h2>{wording.title}</h2>
        <p>{wording.advice}</p>
        {children}
      </div>
    </div>
  );
}
