/** What a call costs, as the agent's side tells it and as people read it. */

export interface Cost {
  readonly amount: number;
  /** ISO 4217 */
  readonly currency: string;
}

/**
 * @param amount a decimal number as text: the service keeps more digits than a number of this language holds
 */
export function readCost(amount: unknown, currency: unknown): Cost | undefined {
  if (typeof amount !== "string" || amount.trim() === "" || typeof currency !== "string") return undefined;
  const value = Number(amount);
  return Number.isFinite(value) && value >= 0 && /^[A-Z]{3}$/.test(currency) ? { amount: value, currency } : undefined;
}

/** `$1.23`, and while that says little `$0.0123`; undefined when nothing was spent that can be shown. */
export function shownCost(cost: Cost | undefined): string | undefined {
  if (cost === undefined || cost.amount < SMALLEST) return undefined;
  const digits = cost.amount < 0.1 ? 4 : 2;
  return new Intl.NumberFormat("en", {
    style: "currency",
    currency: cost.currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(cost.amount);
}

/** What four digits still show. */
const SMALLEST = 0.00005;
