/** Who can be called: `GET /v1/agents`. */
import { isObject, textOf } from "./json";

export interface Agent {
  /** The definition's name, as the session API wants it. */
  readonly name: string;
  /** For people. */
  readonly label: string;
  /** Called when nobody chooses. */
  readonly isDefault: boolean;
  /** BCP 47; empty when the definition does not say. */
  readonly language: string;
}

export const AGENTS_PATH = "/v1/agents";

/** The agents in the answer, which is a list or an object that holds one; what is not an agent is left out. */
export function parseAgents(body: unknown): Agent[] {
  const list = isObject(body) ? body.agents : body;
  return Array.isArray(list) ? list.flatMap((item: unknown) => agentOf(item) ?? []) : [];
}

function agentOf(item: unknown): Agent | undefined {
  if (!isObject(item)) return undefined;
  const name = textOf(item.name);
  if (name === undefined) return undefined;
  return { name, label: labelOf(name), isDefault: item.default === true, language: textOf(item.language) ?? "" };
}

/** `front_desk` is called Front desk. */
function labelOf(name: string): string {
  const words = name.replace(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
