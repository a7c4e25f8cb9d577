import { expect, it } from "vitest";

import { readCost, shownCost } from "./cost";

it.each([
  ["0.012345000", "USD", "$0.0123"],
  ["0.1", "USD", "$0.10"],
  ["12.3456", "EUR", "€12.35"],
  ["0.00005", "GBP", "£0.0001"],
  ["3", "CHF", "CHF 3.00"],
])("shows %s %s as %s", (amount, currency, text) => {
  expect(shownCost(readCost(amount, currency))?.replaceAll("\u00a0", " ")).toBe(text);
});

it.each(["0", "0.000000000", "0.00004"])("shows nothing of %s", (amount) => {
  expect(shownCost(readCost(amount, "USD"))).toBeUndefined();
});

it.each([
  [1, "USD"],
  ["", "USD"],
  ["much", "USD"],
  ["-1", "USD"],
  ["Infinity", "USD"],
  ["1", "dollars"],
  ["1", undefined],
])("takes %s %s for no cost", (amount, currency) => {
  expect(readCost(amount, currency)).toBeUndefined();
});
