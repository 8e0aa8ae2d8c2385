// Experiments: claim, verdict, interval, figures, and cells while they are being computed.
import { useState } from "preact/hooks";
import { useAnswer } from "./api";
import { Chart } from "./chart";
import { ago, isNumber, num, percent, text } from "./format";
import { useLive } from "./live";
import { href } from "./route";
import type { Cell, Experiment, ListedExperiment, Num } from "./types";
import { Chip, Panel, Problem, useTitle, Waiting, Words } from "./ui";

export function ExperimentsView() {
  const live = useLive();
  useTitle("Experiments");
  const listed = [...live.experiments].sort((a, b) => b.changed - a.changed);
  if (!live.loaded) return <Waiting what="Looking for experiments ..." />;
  return (
    <>
      <div class="page-head"><h1>Experiments <small>{listed.length}</small></h1></div>
      {!listed.length && <div class="empty"><p>There is no experiment here yet. Begin one, and it appears with its cells while they are computed:</p><pre>parley experiment run linear-regret --quick</pre></div>}
      <div class="cards wide">
        {listed.map((one) => (
          <article key={one.id} class="card">
            <header><a class="name" href={href(["experiment", one.id])}><Words said={one.experiment ?? one.id} /></a> <Verdict of={one} /></header>
            <p><Words said={one.claim} /></p>
            {isNumber(one.estimate) && <Whisker estimate={one.estimate} interval={one.interval} />}
            {one.quantity && <p class="note"><Words said={one.quantity} /></p>}
            <p class="note">{cellsSaid(one)}{one.quick ? ", quick" : ""}, {ago(one.changed)}</p>
          </article>
        ))}
      </div>
    </>
  );
}

function cellsSaid(one: ListedExperiment): string {
  return isNumber(one.cells.total) ? `${Math.min(one.cells.done, one.cells.total)} of ${one.cells.total} cells` : `${one.cells.done} cells`;
}

function Verdict({ of }: { of: { verdict: string | null; status: string } }) {
  if (of.status === "computing") return <Chip kind="status running"><i aria-hidden="true">●</i> computing</Chip>;
  if (!of.verdict) return <Chip kind="status interrupted">not finished</Chip>;
  const kind = of.verdict === "supported" ? "good" : of.verdict === "not supported" ? "bad" : "explored";
  return <Chip kind={kind}><Words said={of.verdict} /></Chip>;
}

/** An estimate and its interval on a line that holds 0. */
function Whisker({ estimate, interval }: { estimate: number; interval: [Num, Num] | null }) {
  const low = interval && isNumber(interval[0]) ? interval[0] : estimate;
  const high = interval && isNumber(interval[1]) ? interval[1] : estimate;
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  const room = (to - from || Math.abs(estimate) || 1) * 0.08;
  const at = (value: number) => 100 * ((value - from + room) / (to - from + 2 * room));
  return (
    <p class="whisker">
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <line class="zero" x1={at(0)} x2={at(0)} y1="0" y2="10" />
        <line x1={at(low)} x2={at(high)} y1="5" y2="5" />
        <line x1={at(estimate)} x2={at(estimate)} y1="1" y2="9" />
      </svg>
      <span><b>{num(estimate)}</b> [{num(low)}, {num(high)}]</span>
    </p>
  );
}

export function ExperimentView({ id }: { id: string }) {
  const live = useLive();
  const listed = live.experiments.find((one) => one.id === id);
  const { data, error } = useAnswer<Experiment>("experiment", { id }, listed?.changed ?? 0);
  useTitle(text(data?.experiment ?? id));
  if (error) return <><h1><Words said={id} /></h1><Problem said={error} /></>;
  if (!data) return <Waiting what="Reading the experiment ..." />;
  const done = data.cells.filter((cell) => cell.done).length;
  return (
    <>
      <div class="page-head">
        <div><h1><Words said={data.experiment ?? id} /></h1><p class="under-title"><Words said={data.claim} /></p></div>
        <div class="tools"><Verdict of={data} /></div>
      </div>
      {isNumber(data.estimate) && <Panel title="Finding" note={<Words said={data.quantity} />}><Whisker estimate={data.estimate} interval={data.interval} /></Panel>}
      {data.pictures.length > 0 && (
        <Panel title="Figures">
          <div class="pictures">
            {data.pictures.map((name) => {
              const source = `/picture?${new URLSearchParams({ id, file: name })}`;
              return name.endsWith(".mp4") ? <video key={name} src={source} controls muted aria-label={name} /> : <img key={name} src={source} alt={`${name} of ${text(data.experiment)}`} />;
            })}
          </div>
        </Panel>
      )}
      <Panel title="Cells" note={`${done} of ${data.cells.length} computed`}>
        {data.cells.length > 0 && <progress class="whole" max={data.cells.length} value={done} aria-label={percent(done / data.cells.length)} />}
        <ul class="cells">{data.cells.map((cell, i) => <CellOf key={i} id={id} cell={cell} />)}</ul>
      </Panel>
      {kinds(data.rows).map(([columns, rows], i) => <RowsOf key={i} columns={columns} rows={rows} />)}
    </>
  );
}

function CellOf({ id, cell }: { id: string; cell: Cell }) {
  const [open, setOpen] = useState(false);
  const config = cell.config;
  const name = ["world", "planner", "explore"].map((part) => text(config[part])).filter(Boolean).join(" · ");
  const size = `${text(config["runs"])} × ${text(config["episodes"])}`;
  return (
    <li class={cell.done ? "done" : cell.computing ? "computing" : ""}>
      <button type="button" class="plain" disabled={!cell.done || !cell.file} aria-expanded={open} onClick={() => setOpen(!open)}>
        <i aria-hidden="true">{cell.done ? "✓" : cell.computing ? "●" : "○"}</i>
        <span class="unseen">{cell.done ? "computed" : cell.computing ? "being computed" : "waiting"}</span> <Words said={name} /> <small>{size}, seed {text(config["seed"])}</small>
      </button>
      {open && cell.file && <CellCurve id={id} file={cell.file} />}
    </li>
  );
}

function CellCurve({ id, file }: { id: string; file: string }) {
  const { data, error } = useAnswer<{ x: number[]; mean: Num[]; half: Num[]; shape: number[] }>("cell", { id, file });
  if (error) return <Problem said={error} />;
  if (!data) return <Waiting what="Reading the cell ..." />;
  if (!data.x.length) return <p class="note">It holds numbers of shape {data.shape.join(" × ")}.</p>;
  return <Chart lines={[{ id: file, label: file, ...data }]} x="episode" y="cumulative" height={180} zero legend={false} />;
}

/** Rows that have the same columns belong to one table. */
function kinds(rows: Record<string, unknown>[]): [string[], Record<string, unknown>[]][] {
  const found = new Map<string, Record<string, unknown>[]>();
  for (const row of rows) {
    const key = JSON.stringify(Object.keys(row));
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return [...found].map(([key, some]) => [JSON.parse(key) as string[], some]);
}

function Value({ of }: { of: unknown }) {
  if (isNumber(of)) return <>{num(of)}</>;
  if (Array.isArray(of) && of.every(isNumber)) return <>[{of.map((value) => num(value)).join(", ")}]</>;
  return <Words said={of} />;
}

function RowsOf({ columns, rows }: { columns: string[]; rows: Record<string, unknown>[] }) {
  const shown = rows.slice(0, 200);
  return (
    <Panel title="Rows" note={rows.length > shown.length ? `the first ${shown.length} of ${rows.length}` : `${rows.length}`}>
      <div class="scroll list" tabIndex={0} role="region" aria-label="Rows of the finding">
        <table>
          <thead><tr>{columns.map((name) => <th key={name}><Words said={name} /></th>)}</tr></thead>
          <tbody>{shown.map((row, i) => <tr key={i}>{columns.map((name) => <td key={name} class={isNumber(row[name]) ? "number" : ""}><Value of={row[name]} /></td>)}</tr>)}</tbody>
        </table>
      </div>
    </Panel>
  );
}
