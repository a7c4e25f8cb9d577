import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/stage.css";
import "./styles/transcript.css";

import { setLogLevel } from "livekit-client";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";

setLogLevel("warn");

const root = document.getElementById("root");
if (!root) throw new Error("the page has no element #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
