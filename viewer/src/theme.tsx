// Light, dark, or as the system has it; and the colours that canvases need.
import { useEffect, useState } from "preact/hooks";

export type Theme = "auto" | "light" | "dark";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const SIGN: Record<Theme, string> = { auto: "◐", light: "☀", dark: "☾" };

function stored(): Theme {
  try {
    const kept = localStorage.getItem("parley-theme");
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto";
  }
}

let theme: Theme = stored();
const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const dark = theme === "dark" || (theme === "auto" && system.matches);
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  for (const listener of listeners) listener();
}

export function beginTheme(): void {
  system.addEventListener("change", apply);
  apply();
}

export function ThemeButton() {
  const [now, setNow] = useState(theme);
  const turn = () => {
    theme = NEXT[theme];
    try {
      if (theme === "auto") localStorage.removeItem("parley-theme");
      else localStorage.setItem("parley-theme", theme);
    } catch {
      // a page from a file may keep nothing
    }
    setNow(theme);
    apply();
  };
  const said = `Colours: ${now === "auto" ? "as the system" : now}`;
  return (
    <button type="button" class="plain theme" onClick={turn} aria-label={said} title={said}>
      <span aria-hidden="true">{SIGN[now]}</span>
    </button>
  );
}

/** Drawn again when the theme changes: whether it is dark. */
export function useDark(): boolean {
  const [dark, setDark] = useState(document.documentElement.dataset["theme"] === "dark");
  useEffect(() => {
    const listener = () => setDark(document.documentElement.dataset["theme"] === "dark");
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return dark;
}

/** A colour of the style sheet by its name. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const SERIES = 8; // colours of curves: --series-0 to --series-7
