// Numbers and times as they are shown. A stranger's run may hold anything: what is no number is a dash.

export const DASH = "–";

export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** Any value as text: what should be a text may be something else in a stranger's run. */
export function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A number with as many digits as tell something: 0.042, 3.14, 128, 12,345. */
export function num(value: unknown, digits = 3): string {
  if (!isNumber(value)) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(1).replace("-", "−");
  if (size >= 1000) return Math.round(value).toLocaleString("en").replace("-", "−");
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value.toFixed(Math.min(decimals, 4)).replace("-", "−");
}

/** A value with half the width of its interval, both to the digits that the width leaves. */
export function withHalf(value: unknown, half: unknown): string {
  if (!isNumber(value)) return DASH;
  if (!isNumber(half)) return num(value);
  const told = half > 1e-6 * Math.abs(value) && half > 1e-9;
  const decimals = told ? Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(half)))) : 2;
  return `${fixed(value, decimals)} ± ${fixed(half, decimals)}`;
}

function fixed(value: number, decimals: number): string {
  const shown = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(decimals);
  return shown.replace("-", "−");
}

/** A number on an axis: no digit that says nothing. */
export function tick(value: number): string {
  return num(value).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** Money in the currency of the table of prices; calls of small models cost very little. */
export function money(value: unknown): string {
  if (!isNumber(value)) return DASH;
  return value !== 0 && Math.abs(value) < 0.01 ? Number(value.toPrecision(2)).toFixed(8).replace(/0+$/, "") : value.toFixed(2);
}

export function percent(value: unknown, decimals = 0): string {
  return isNumber(value) ? `${(100 * value).toFixed(value > 0 && value < 0.01 ? 1 : decimals)}%` : DASH;
}

/** Counts: 987, 12.3k, 4.56M. */
export function count(value: unknown): string {
  if (!isNumber(value)) return DASH;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]] as const) {
    if (value >= size) return `${(value / (unit === "k" ? 1e3 : size)).toPrecision(3)}${unit}`;
  }
  return Math.round(value).toLocaleString("en");
}

export function seconds(value: unknown): string {
  if (!isNumber(value) || value < 0) return DASH;
  if (value < 1) return `${Math.round(1000 * value)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return value < 172800 ? `${Math.floor(value / 3600)} h ${Math.round((value % 3600) / 60)} min` : `${Math.round(value / 86400)} days`;
}

export function ago(at: number): string {
  const passed = Date.now() / 1000 - at;
  if (!at) return DASH;
  if (passed < 5) return "now";
  for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "min"], [1, "s"]] as const) {
    if (passed >= size) {
      const many = Math.floor(passed / size);
      return `${many} ${unit}${many > 1 && unit.length > 3 ? "s" : ""} ago`;
    }
  }
  return "now";
}

/** A spec, `kind:key=value,...`, as its kind and the rest. */
export function split(spec: unknown): [string, string] {
  const whole = text(spec);
  const at = whole.indexOf(":");
  return at < 0 ? [whole, ""] : [whole.slice(0, at), whole.slice(at + 1)];
}
