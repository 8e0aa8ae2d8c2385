// Several runs beside each other: curves, paired differences, and what differs between their configurations.
import { useState } from "preact/hooks";
import { isReport, useAnswer } from "./api";
import { Chart, type Line } from "./chart";
import { isNumber, num, percent, text, withHalf } from "./format";
import { useLive } from "./live";
import { go, href, type Route } from "./route";
import type { Compared, Metric, Row } from "./types";
import { Choice, Panel, Problem, StatusChip, useTitle, Waiting, Words } from "./ui";

export const METRICS = [
  ["regret", "Regret"],
  ["return", "Return"],
  ["score", "Score"],
  ["explored", "Explored"],
  ["faults", "Faults"],
  ["tokens", "Tokens"],
  ["cost", "Cost"],
] as const;
type Way = "cumulative" | "episode" | "difference";

const WAYS = [
  ["cumulative", "Cumulative"],
  ["episode", "By episode"],
  ["difference", "Difference"],
] as const;
const PARTS = ["world", "planner", "explore", "memory", "episodes", "runs", "seed", "latent", "instructions", "record"] as const;

/** What tells runs apart: the parts in which they differ, else their names. */
export function labelsOf(rows: Row[]): Map<string, string> {
  const differ = PARTS.filter((part) => part !== "record" && new Set(rows.map((row) => text(row[part]))).size > 1);
  const said = (row: Row) => differ.map((part) => (["world", "planner", "explore"].includes(part) ? text(row[part]) : `${part} ${text(row[part])}`)).join(" · ");
  const labels = new Map(rows.map((row) => [row.id, said(row) || row.id]));
  const twice = (label: string) => [...labels.values()].filter((other) => other === label).length > 1;
  for (const [id, label] of labels) if (twice(label) && label !== id) labels.set(id, `${label} · ${id}`);
  return labels;
}

/** What a curve over episodes shows: of a score, which is a share, the mean so far. */
export function soFar(metric: Metric, measure: string): string {
  return metric === "score" ? "mean score so far" : `cumulative ${measure}`;
}

/** What these runs are measured by: regret, or where none of them has an optimum the score or the return. */
function first(rows: Row[]): Metric {
  if (has(rows, "regret") || rows.some(({ numbers }) => !numbers)) return "regret";
  return has(rows, "score") ? "score" : "return";
}

/** Whether any of these runs has such numbers. */
function has(rows: Row[], metric: Metric): boolean {
  return rows.some(({ numbers }) => {
    if (metric === "regret") return numbers?.regret !== undefined;
    if (metric === "score") return isNumber(numbers?.score);
    if (metric === "faults") return Boolean(numbers?.faults);
    if (metric === "cost") return Boolean(numbers?.spent?.cost);
    return metric !== "tokens" || Boolean(numbers?.spent);
  });
}

function listed(ids: string): string[] {
  try {
    const found: unknown = JSON.parse(ids);
    return Array.isArray(found) ? found.map(text) : [];
  } catch {
    return [];
  }
}

export function CompareView({ route }: { route: Route }) {
  const live = useLive();
  useTitle("Compare");
  const ids = listed(route.query.get("ids") ?? "[]");
  const way = (route.query.get("way") ?? "cumulative") as Way;
  const rows = ids.map((id) => live.rows.get(id)).filter((row): row is Row => Boolean(row));
  const metric = (route.query.get("metric") ?? first(rows)) as Metric;
  const labels = labelsOf(rows);
  const to = (changes: Record<string, string>) => go(href(["compare"], { ids: JSON.stringify(ids), metric, way, ...changes }), true);
  if (live.loaded && !rows.length) return <Problem said="None of these runs is here (any more)." />;
  return (
    <>
      <div class="page-head">
        <h1>Compare <small>{ids.length} {ids.length === 1 ? "run directory" : "run directories"}</small></h1>
        <div class="tools">
          <Choice label="What is drawn" options={METRICS.filter(([name]) => name === metric || has(rows, name))} value={metric} pick={(value) => to({ metric: value })} />
          <Choice label="How it is drawn" options={WAYS} value={way} pick={(value) => to({ way: value })} />
        </div>
      </div>
      <Curves ids={ids} labels={labels} metric={metric} way={way} version={ids.map((id) => live.versions.get(id)).join()} />
      <Settings rows={rows} labels={labels} />
    </>
  );
}

interface CurvesProps {
  ids: string[];
  labels: Map<string, string>;
  metric: Metric;
  way: Way;
  version: string;
}

function Curves({ ids, labels, metric, way, version }: CurvesProps) {
  const live = useLive();
  const [range, setRange] = useState<[number, number] | null>(null);
  const every = [...live.rows.keys()]; // a report holds the curves of all its runs together
  const asked = { ids: JSON.stringify(isReport() ? every : ids), metric, way: way === "difference" ? "cumulative" : way, first: range?.[0], last: range?.[1] };
  const { data: answer, error } = useAnswer<Compared>("compare", asked, version);
  if (error) return <Problem said={error} />;
  if (!answer) return <Waiting what="Reading the runs ..." />;
  const mine = <T extends { id: string }>(some: T[]) => some.filter((one) => ids.includes(one.id));
  const data = { ...answer, curves: mine(answer.curves), differences: ids.includes(answer.base) ? mine(answer.differences) : [] };
  const named = (id: string) => labels.get(id) ?? id;
  const none = data.curves.filter((curve) => !curve.x.length).map((curve) => named(curve.id));
  const base = named(data.base);
  const lines: Line[] =
    way === "difference"
      ? data.differences.flatMap((one) => (one.curve ? [{ id: one.id, label: `${named(one.id)} − ${base}`, ...one.curve, total: withHalf(one.total, one.half) }] : []))
      : data.curves.filter((curve) => curve.x.length).map((curve) => ({ ...curve, label: named(curve.id), total: withHalf(curve.total, curve.total_half) }));
  const measure = metric === "regret" ? (data.curves.find((curve) => curve.x.length)?.measure ?? "regret") : metric;
  const whole = soFar(metric, measure);
  const y = way === "difference" ? `difference in ${whole}` : way === "cumulative" ? whole : measure;
  return (
    <>
      <Panel title={<span class="cap">{y}</span>} note={`mean over runs, bands are pointwise 95% intervals${way === "difference" ? ", run by run" : ""}`}>
        {lines.length ? (
          <Chart lines={lines} x="episode" y={y} height={380} zero={way !== "difference"} level={way === "difference" ? 0 : null} {...(isReport() ? {} : { zoomed: setRange })} />
        ) : (
          <p class="empty">{way === "difference" ? "Choose runs of the same world, seed, latents and instructions: these share their random numbers." : `No log here has ${metric}.`}</p>
        )}
        {none.length > 0 && lines.length > 0 && way !== "difference" && <p class="note">Without {metric}: <Words said={none.join(", ")} /></p>}
      </Panel>
      {data.differences.length > 0 && <Differences data={data} named={named} measure={measure} />}
    </>
  );
}

function Differences({ data, named, measure }: { data: Compared; named: (id: string) => string; measure: string }) {
  return (
    <Panel title="Differences" note={<>to <Words said={named(data.base)} />, whole runs</>}>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of differences">
        <table>
          <thead>
            <tr><th>run directory</th><th class="number">{measure}, difference</th><th>reading</th><th>how</th></tr>
          </thead>
          <tbody>
            {data.differences.map((one) => (
              <tr key={one.id}>
                <td><Words said={named(one.id)} /></td>
                <td class="number">{withHalf(one.total, one.half)}</td>
                <td>{reading(one.total, one.half)}</td>
                <td class="quiet">{one.paired ? `run by run, ${one.episodes.toLocaleString("en")} episodes: both met the same random numbers` : `of means: ${one.why}`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function reading(total: unknown, half: unknown): string {
  if (!isNumber(total) || !isNumber(half)) return "no interval";
  if (Math.abs(total) <= half) return "cannot be told apart";
  return total < 0 ? "less" : "more";
}

function Settings({ rows, labels }: { rows: Row[]; labels: Map<string, string> }) {
  const differ = PARTS.filter((part) => new Set(rows.map((row) => text(row[part]))).size > 1);
  const same = PARTS.filter((part) => !differ.includes(part) && text(rows[0]?.[part]));
  return (
    <Panel title="Configurations">
      <div class="scroll" tabIndex={0} role="region" aria-label="Table of configurations">
        <table>
          <thead>
            <tr><th>run directory</th><th>status</th>{differ.map((part) => <th key={part}>{part}</th>)}<th class="number">return</th><th class="number">explored</th></tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id} title={labels.get(row.id)}>
                <td><a href={href(["run", row.id])}><Words said={row.id} /></a></td>
                <td><StatusChip status={row.status} /></td>
                {differ.map((part) => <td key={part}><Words said={row[part] ?? "–"} /></td>)}
                <td class="number">{num(row.numbers?.mean_return)}</td>
                <td class="number">{percent(row.numbers?.explored)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">The same in all: {same.map((part) => `${part} ${text(rows[0]?.[part])}`).join(", ") || "nothing"}.</p>
    </Panel>
  );
}
