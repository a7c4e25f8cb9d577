// @vitest-environment jsdom
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";

import { Composer } from "./Composer";

function show(onSend: (text: string) => Promise<void>, disabled = false) {
  render(<Composer onSend={onSend} disabled={disabled} />);
  return screen.getByRole("textbox", { name: "Message to the agent" });
}

it("sends what was typed at Enter and is empty for the next", async () => {
  const sent: string[] = [];
  const field = show((text) => {
    sent.push(text);
    return Promise.resolve();
  });
  await userEvent.type(field, "  good morning {Enter}");
  expect(sent).toEqual(["good morning"]);
  expect(field).toHaveValue("");
});

it("breaks the line at Shift and Enter", async () => {
  const field = show(() => Promise.reject(new Error("nothing was to be sent")));
  await userEvent.type(field, "one{Shift>}{Enter}{/Shift}two");
  expect(field).toHaveValue("one\ntwo");
});

it("keeps the words and says so when they could not be sent", async () => {
  const field = show(() => Promise.reject(new Error("no network")));
  await userEvent.type(field, "hello{Enter}");
  expect(await screen.findByRole("alert")).toHaveTextContent("not sent");
  expect(field).toHaveValue("hello");
});

it("cannot send blanks, nor anything while nobody is there", async () => {
  const field = show(() => Promise.resolve(), true);
  await userEvent.type(field, "hello");
  expect(screen.getByRole("button", { name: "Send message" })).toBeDisabled();
});
