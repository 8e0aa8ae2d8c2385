// The rows of all runs, kept up to date by server-sent events; in a report, as they were.
import { useEffect, useState } from "preact/hooks";
import { ask, isReport } from "./api";
import type { ListedExperiment, Row, Runs } from "./types";

export type Link = "connecting" | "live" | "lost" | "file";

interface State {
  rows: Map<string, Row>;
  versions: Map<string, number>; // grow with every change of a run
  experiments: ListedExperiment[];
  directory: string;
  cut: boolean;
  link: Link;
  loaded: boolean;
}

const state: State = {
  rows: new Map(),
  versions: new Map(),
  experiments: [],
  directory: "",
  cut: false,
  link: "connecting",
  loaded: false,
};
const told = new Set<string>(); // runs that an event told of while everything was being read: the event is newer
const listeners = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

function take(rows: Row[], gone: string[]): void {
  for (const row of rows) {
    state.rows.set(row.id, row);
    state.versions.set(row.id, (state.versions.get(row.id) ?? 0) + 1);
  }
  for (const id of gone) state.rows.delete(id);
  changed();
}

async function readAll(): Promise<void> {
  told.clear();
  const answer = await ask<Runs>("runs");
  state.directory = answer.directory;
  state.cut = answer.cut;
  state.loaded = true;
  const here = new Set(answer.runs.map((row) => row.id));
  const older = (id: string) => !told.has(id);
  take(
    answer.runs.filter((row) => older(row.id)),
    [...state.rows.keys()].filter((id) => !here.has(id) && older(id)),
  );
  if (!isReport()) state.experiments = (await ask<{ experiments: ListedExperiment[] }>("experiments")).experiments;
  changed();
}

/** Begin to listen. After a break everything is read again. */
export function listen(): void {
  if (isReport()) {
    state.link = "file";
    void readAll();
    return;
  }
  const events = new EventSource("/api/events");
  events.onopen = () => {
    state.link = "live";
    readAll().catch(() => undefined);
  };
  events.onerror = () => {
    state.link = "lost";
    changed();
    if (events.readyState === EventSource.CLOSED) window.setTimeout(listen, 3000);
  };
  events.onmessage = (event: MessageEvent<string>) => {
    const news = JSON.parse(event.data) as { runs?: Row[]; gone?: string[]; experiments?: ListedExperiment[] };
    if (news.experiments) state.experiments = news.experiments;
    for (const id of [...(news.runs ?? []).map((row) => row.id), ...(news.gone ?? [])]) told.add(id);
    take(news.runs ?? [], news.gone ?? []);
  };
}

/** The state of everything; the component is drawn again when it changes. */
export function useLive(): State {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => again((n) => n + 1);
    listeners.add(listener);
    listener(); // what was told before we listened
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

export async function putNote(id: string, note: string, tags: string[]): Promise<string> {
  const body = JSON.stringify({ id, note, tags });
  const response = await fetch("/api/notes", { method: "PUT", headers: { "Content-Type": "application/json" }, body });
  const answer = (await response.json()) as Row & { error?: string };
  if (!response.ok) return answer.error ?? "the note was not kept";
  take([answer], []);
  return "";
}
