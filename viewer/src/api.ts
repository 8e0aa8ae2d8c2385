// Questions to the server, or, in a report, to the answers that the file holds.
import { useEffect, useRef, useState } from "preact/hooks";

export type Params = Record<string, string | number | undefined>;

let recorded: Record<string, unknown> | null = null;

/** Whether this page is a file that holds its answers (`parley report`). */
export function isReport(): boolean {
  return recorded !== null;
}

/** Read the answers that a report holds: JSON, compressed, in base64. */
export async function readRecorded(): Promise<void> {
  const held = document.getElementById("answers");
  if (!held) return;
  const bytes = Uint8Array.from(atob(held.textContent ?? ""), (c) => c.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  recorded = JSON.parse(await new Response(unpacked).text()) as Record<string, unknown>;
}

/** The name of a question in a report: parameters in alphabetical order, without those that are empty. */
export function keyOf(question: string, params: Params): string {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== "");
  given.sort(([a], [b]) => (a < b ? -1 : 1));
  return `${question}?${given.map(([name, value]) => `${name}=${value}`).join("&")}`;
}

/** Whether a question can be answered: a server answers all, a report what it holds. */
export function isHeld(question: string, params: Params): boolean {
  return recorded === null || keyOf(question, params) in recorded;
}

export class Unanswered extends Error {}

export async function ask<T>(question: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  if (recorded) {
    const key = keyOf(question, params);
    if (!(key in recorded)) throw new Unanswered(notHere(question));
    return recorded[key] as T;
  }
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== "") query.set(name, String(value));
  const response = await fetch(`/api/${question}?${query}`, signal ? { signal } : {});
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Unanswered(answer.error ?? `the server answers ${response.status}`);
  return answer;
}

function notHere(question: string): string {
  if (question === "episode") return "This file does not hold the steps of this episode: name it with `parley report --episodes RUN:EPISODE,...`, or look with `parley view`.";
  return "This file does not hold that: `parley view` shows everything.";
}

export interface Answer<T> {
  data: T | null;
  error: string;
  loading: boolean;
}

const FEWEST_MS = 900; // between two times that a view that is kept up to date asks

interface Asking {
  key: string;
  stop: AbortController;
  busy: boolean;
  again: boolean;
  at: number;
  took: number;
  timer: number;
}

/**
 * The answer to a question, asked again when the question or `version` changes. While a newer one is on its way the
 * last one stays; one that only got out of date is not asked for more often than it pays.
 */
export function useAnswer<T>(question: string | null, params: Params = {}, version: unknown = 0): Answer<T> {
  const key = question === null ? "" : keyOf(question, params);
  const [state, setState] = useState<Answer<T> & { key: string }>({ key: "", data: null, error: "", loading: true });
  const asking = useRef<Asking | null>(null);

  const request = async (mine: Asking) => {
    mine.busy = true;
    mine.again = false;
    mine.at = Date.now();
    try {
      const data = await ask<T>(question ?? "", params, mine.stop.signal);
      if (!mine.stop.signal.aborted) setState({ key, data, error: "", loading: false });
    } catch (wrong) {
      if (mine.stop.signal.aborted) return;
      const said = wrong instanceof Unanswered ? wrong.message : "The server does not answer. Is `parley view` still running?";
      setState((old) => ({ key, data: old.key === key ? old.data : null, error: said, loading: false }));
    }
    mine.busy = false;
    mine.took = Date.now() - mine.at;
    if (mine.again) later(mine);
  };
  const later = (mine: Asking) => {
    const wait = Math.max(0, mine.at + Math.max(FEWEST_MS, 15 * mine.took) - Date.now());
    window.clearTimeout(mine.timer);
    mine.timer = window.setTimeout(() => void request(mine), wait);
  };

  useEffect(() => {
    if (question === null) return;
    const mine: Asking = { key, stop: new AbortController(), busy: false, again: false, at: 0, took: 0, timer: 0 };
    asking.current = mine;
    void request(mine);
    return () => {
      mine.stop.abort();
      window.clearTimeout(mine.timer);
    };
  }, [key]);
  useEffect(() => {
    const mine = asking.current;
    if (question === null || !mine || mine.key !== key || mine.at === 0) return;
    if (mine.busy) mine.again = true;
    else later(mine);
  }, [version]);
  const current = state.key === key;
  return {
    data: current || keeps(question) ? state.data : null,
    error: current ? state.error : "",
    loading: !current || state.loading,
  };
}

/** Answers that stay on the screen while another one of their kind is on its way. */
function keeps(question: string | null): boolean {
  return question === "heat" || question === "compare" || question === "episodes";
}
