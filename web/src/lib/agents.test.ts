import { expect, it } from "vitest";

import { parseAgents } from "./agents";

const FRONTDESK = { name: "frontdesk", label: "Frontdesk", isDefault: false, language: "en" };

it.each([
  [[{ name: "frontdesk", language: "en", greeting: "Hello" }]],
  [{ agents: [{ name: "frontdesk", language: "en" }] }],
])("reads the agents of %j", (body) => {
  expect(parseAgents(body)).toEqual([FRONTDESK]);
});

it("knows the default one", () => {
  const [first, second] = parseAgents([{ name: "a", default: false }, { name: "b", default: true }]);
  expect([first?.isDefault, second?.isDefault]).toEqual([false, true]);
});

it("makes a name fit for people", () => {
  expect(parseAgents([{ name: "night_desk-north" }])[0]?.label).toBe("Night desk north");
});

it.each([null, "x", {}, { agents: 4 }, [4, null, {}, { name: "" }]])("finds nobody in %j", (body) => {
  expect(parseAgents(body)).toEqual([]);
});
