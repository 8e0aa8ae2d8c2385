// Small parts that all views are made from.
import type { ComponentChildren, JSX } from "preact";
import { Component } from "preact";
import { useEffect, useState } from "preact/hooks";
import { text } from "./format";
import type { Status } from "./types";

/** Words of a world or a model: data, whatever they say; text in any direction stays in its place. */
export function Words({ said, quiet = false }: { said: unknown; quiet?: boolean }) {
  return (
    <bdi class={quiet ? "words quiet" : "words"} dir="auto">
      {text(said)}
    </bdi>
  );
}

export function Panel(props: {
  title: ComponentChildren;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  children: ComponentChildren;
  id?: string;
}) {
  return (
    <section class="panel" id={props.id}>
      <header>
        <h2>{props.title}</h2>
        {props.note && <span class="note">{props.note}</span>}
        {props.tools && <div class="tools">{props.tools}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** One of a few: a row of buttons, of which one is pressed. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  pick: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, name]) => (
        <button key={value} type="button" aria-pressed={value === props.value} onClick={() => props.pick(value)}>
          {name}
        </button>
      ))}
    </div>
  );
}

export function Select<T extends string>(props: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  pick: (value: T) => void;
}) {
  return (
    <label class="select">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.pick(event.currentTarget.value as T)}>
        {props.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

const SIGNS: Record<Status, string> = { running: "●", finished: "✓", interrupted: "‖", failed: "✕", damaged: "!" };

export function StatusChip({ status }: { status: Status }) {
  return (
    <span class={`chip status ${status in SIGNS ? status : "damaged"}`}>
      <i aria-hidden="true">{SIGNS[status] ?? "!"}</i> {text(status)}
    </span>
  );
}

export function Chip({ kind = "", title, children }: { kind?: string; title?: string; children: ComponentChildren }) {
  return (
    <span class={`chip ${kind}`} title={title}>
      {children}
    </span>
  );
}

export function Tile(props: { name: ComponentChildren; value: ComponentChildren; note?: ComponentChildren; kind?: string }) {
  return (
    <div class={`tile ${props.kind ?? ""}`}>
      <dt>{props.name}</dt>
      <dd>
        {props.value}
        {props.note && <small>{props.note}</small>}
      </dd>
    </div>
  );
}

export function Problem({ said, mild = false }: { said: string; mild?: boolean }) {
  return said ? (
    <p class={mild ? "problem mild" : "problem"} role="status">
      <Words said={said} />
    </p>
  ) : null;
}

export function Waiting({ what }: { what: string }) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setSlow(true), 250);
    return () => window.clearTimeout(timer);
  }, []);
  return <p class="waiting">{slow ? what : " "}</p>;
}

/** A small curve without axes. */
export function Spark({ values, label }: { values: (number | null)[]; label: string }) {
  const known = values.filter((v): v is number => typeof v === "number" && Number.isFinite(v));
  if (known.length < 2) return null;
  const high = Math.max(...known, 1e-12);
  const low = Math.min(...known, 0);
  const at = (v: number, i: number) =>
    `${((100 * i) / (known.length - 1)).toFixed(1)},${(26 - (24 * (v - low)) / (high - low)).toFixed(1)}`;
  const line = known.map(at).join(" ");
  return (
    <svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-label={label}>
      <polygon points={`0,28 ${line} 100,28`} />
      <polyline points={line} />
    </svg>
  );
}

/** Whether the window is at least so wide. */
export function useWide(pixels: number): boolean {
  const query = `(min-width: ${pixels}px)`;
  const [wide, setWide] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const changed = () => setWide(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [query]);
  return wide;
}

/** A view that cannot be drawn says so, and the others go on. */
export class Guarded extends Component<{ at: string; children: ComponentChildren }, { wrong: string; at: string }> {
  override state = { wrong: "", at: this.props.at };
  static override getDerivedStateFromError(wrong: unknown): { wrong: string } {
    return { wrong: String(wrong) };
  }
  static override getDerivedStateFromProps(props: { at: string }, state: { at: string }): { wrong: string; at: string } | null {
    return props.at === state.at ? null : { wrong: "", at: props.at }; // another place may be drawn
  }
  override render(): JSX.Element | ComponentChildren {
    if (!this.state.wrong) return this.props.children;
    return <Problem said={`This cannot be drawn: the run holds what no run of ours does (${this.state.wrong}).`} />;
  }
}

/** A heading above the page that screen readers are told of when the view changes. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Parley` : "Parley";
  }, [title]);
}
