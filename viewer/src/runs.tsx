// The table of all runs: sort, filter, group, choose several to compare.
import { type ComponentChildren, Fragment } from "preact";
import { useMemo, useState } from "preact/hooks";
import { ago, count, isNumber, money, num, percent, seconds, split, text, withHalf } from "./format";
import { useLive } from "./live";
import { Tags } from "./notes";
import { go, href } from "./route";
import type { Numbers, Row } from "./types";
import { Problem, Select, Spark, StatusChip, useTitle, useWide, Waiting, Words } from "./ui";

type Key = "id" | "status" | "world" | "planner" | "explore" | "memory" | "regret" | "return" | "score" | "explored" | "slope" | "tokens" | "cost" | "changed";
type Group = "" | "folder" | "status" | "world" | "planner" | "explore" | "tag";

const ORDER = ["running", "failed", "interrupted", "damaged", "finished"];
const GROUPS: [Group, string][] = [
  ["", "nothing"],
  ["folder", "folder"],
  ["status", "status"],
  ["world", "world"],
  ["planner", "planner"],
  ["explore", "explorer"],
  ["tag", "tag"],
];

interface Column {
  key: Key;
  name: string;
  number?: boolean;
  optional?: boolean; // left out where no run has it
  about?: string;
  of: (row: Row) => string | number | null;
}

const tokens = (row: Row) => (row.numbers?.spent ? row.numbers.spent.prompt_tokens + row.numbers.spent.completion_tokens : null);
const known = (value: unknown) => (isNumber(value) ? value : null);

const COLUMNS: Column[] = [
  { key: "id", name: "Run", of: (row) => row.id },
  { key: "status", name: "Status", of: (row) => ORDER.indexOf(row.status) },
  { key: "world", name: "World", of: (row) => text(row.world) },
  { key: "planner", name: "Planner", of: (row) => text(row.planner) },
  { key: "explore", name: "Explorer", of: (row) => text(row.explore) },
  { key: "memory", name: "Memory", optional: true, of: (row) => row.memory || null },
  { key: "regret", name: "Regret", number: true, about: "of a whole run, with its 95% interval over runs", of: (row) => known(row.numbers?.regret) },
  { key: "return", name: "Return", number: true, about: "mean over episodes", of: (row) => known(row.numbers?.mean_return) },
  { key: "score", name: "Score", number: true, optional: true, about: "share of the largest return", of: (row) => known(row.numbers?.score) },
  { key: "explored", name: "Explored", number: true, about: "share of episodes", of: (row) => known(row.numbers?.explored) },
  { key: "slope", name: "Growth", number: true, about: "slope of log regret against log t over the last half: 1 is a straight line, 0 a flat one", of: (row) => known(row.numbers?.slope) },
  { key: "tokens", name: "Tokens", number: true, optional: true, of: tokens },
  { key: "cost", name: "Cost", number: true, optional: true, of: (row) => known(row.numbers?.spent?.cost) || null },
  { key: "changed", name: "Changed", number: true, about: "when its files changed last, and the time it took", of: (row) => row.changed },
];

export function RunsView() {
  const live = useLive();
  useTitle("Runs");
  const wide = useWide(860);
  const [sought, seek] = useState("");
  const [group, setGroup] = useState<Group>("");
  const [sort, setSort] = useState<{ key: Key; down: boolean }>({ key: "changed", down: true });
  const [chosen, choose] = useState<Set<string>>(new Set());
  const all = [...live.rows.values()];
  const columns = COLUMNS.filter((column) => !column.optional || all.some((row) => column.of(row) !== null));
  const shown = useMemo(() => ordered(all.filter(matcher(sought)), sort), [live.rows.size, sought, sort, JSON.stringify([...live.versions])]);
  const groups = useMemo(() => grouped(shown, group), [shown, group]);
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    choose(next);
  };
  const running = all.filter((row) => row.status === "running").length;
  if (!live.loaded) return <Waiting what="Looking for runs ..." />;
  return (
    <>
      <div class="page-head">
        <h1>
          Runs <small>{all.length}</small>
          {running > 0 && <span class="chip status running"><i aria-hidden="true">●</i> {running} running</span>}
        </h1>
        <div class="tools">
          <label class="search">
            <span class="unseen">Filter runs</span>
            <input type="search" placeholder="Filter: words, world:shortcut, status:running, tag:good" value={sought} onInput={(event) => seek(event.currentTarget.value)} />
          </label>
          <Select label="Group by" options={GROUPS} value={group} pick={setGroup} />
          {!wide && <Select label="Sort by" options={columns.map((c) => [c.key, c.name] as const)} value={sort.key} pick={(key) => setSort({ key, down: Boolean(COLUMNS.find((c) => c.key === key)?.number) })} />}
          <button type="button" class="main" disabled={chosen.size < 1} onClick={() => go(href(["compare"], { ids: JSON.stringify([...chosen]) }))}>
            Compare{chosen.size ? ` ${chosen.size}` : ""}
          </button>
          {chosen.size > 0 && <button type="button" onClick={() => choose(new Set())}>Choose none</button>}
        </div>
      </div>
      {live.cut && <Problem said="There are more directories here than are looked at: open the viewer further down." />}
      {all.length === 0 && <Nothing directory={live.directory} />}
      {all.length > 0 && shown.length === 0 && <p class="empty">No run has “{sought}”.</p>}
      {groups.map(([name, rows]) => (
        <section key={name} class="group" aria-label={name ? `${group}: ${name}` : "all runs"}>
          {group && <h2><Words said={name || "none"} /> <small>{rows.length}</small></h2>}
          {wide ? (
            <Table columns={columns} rows={rows} sort={sort} setSort={setSort} chosen={chosen} toggle={toggle} choose={choose} />
          ) : (
            <div class="cards">{rows.map((row) => <Card key={row.id} row={row} chosen={chosen.has(row.id)} toggle={toggle} />)}</div>
          )}
        </section>
      ))}
    </>
  );
}

function Nothing({ directory }: { directory: string }) {
  return (
    <div class="empty">
      <p>There is no run below <code><Words said={directory} /></code> yet. Begin one, and it appears here:</p>
      <pre>parley run --world shortcut --planner transformer --explore adaptive-proposals --out runs/first</pre>
    </div>
  );
}

function matcher(sought: string): (row: Row) => boolean {
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const fields: Record<string, (row: Row) => string> = {
    status: (row) => row.status,
    world: (row) => text(row.world),
    planner: (row) => text(row.planner),
    explorer: (row) => text(row.explore),
    explore: (row) => text(row.explore),
    memory: (row) => text(row.memory),
    tag: (row) => row.tags.join(" "),
    note: (row) => row.note,
    seed: (row) => text(row.seed),
    run: (row) => row.id,
  };
  const whole = (row: Row) => Object.values(fields).map((of) => of(row)).join(" ").toLowerCase();
  return (row) =>
    words.every((word) => {
      const [field, value] = split(word);
      const of = value ? fields[field] : undefined;
      return of ? of(row).toLowerCase().includes(value) : whole(row).includes(word);
    });
}

function ordered(rows: Row[], sort: { key: Key; down: boolean }): Row[] {
  const of = COLUMNS.find((column) => column.key === sort.key)?.of ?? (() => null);
  const sign = sort.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return x === y ? a.id.localeCompare(b.id) : x === null ? 1 : -1;
    const less = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return sign * less || a.id.localeCompare(b.id);
  });
}

function grouped(rows: Row[], group: Group): [string, Row[]][] {
  if (!group) return rows.length ? [["", rows]] : [];
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const names = group === "tag" ? (row.tags.length ? row.tags : [""]) : [nameOf(row, group)];
    for (const name of names) found.set(name, [...(found.get(name) ?? []), row]);
  }
  return [...found].sort(([a], [b]) => a.localeCompare(b));
}

function nameOf(row: Row, group: Group): string {
  if (group === "folder") return row.id.includes("/") ? row.id.slice(0, row.id.lastIndexOf("/")) : ".";
  return text(row[group as "status" | "world" | "planner" | "explore"]);
}

interface TableProps {
  columns: Column[];
  rows: Row[];
  sort: { key: Key; down: boolean };
  setSort: (sort: { key: Key; down: boolean }) => void;
  chosen: Set<string>;
  toggle: (id: string) => void;
  choose: (chosen: Set<string>) => void;
}

function Table({ columns, rows, sort, setSort, chosen, toggle, choose }: TableProps) {
  const every = rows.every((row) => chosen.has(row.id));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of runs">
      <table class="runs">
        <thead>
          <tr>
            <th class="tick">
              <input
                type="checkbox"
                aria-label="Choose all"
                checked={every}
                onChange={() => choose(new Set(every ? [...chosen].filter((id) => !rows.some((row) => row.id === id)) : [...chosen, ...rows.map((row) => row.id)]))}
              />
            </th>
            {columns.map((column) => {
              const mine = sort.key === column.key;
              return (
                <th key={column.key} class={column.number ? "number" : ""} aria-sort={mine ? (sort.down ? "descending" : "ascending") : "none"}>
                  <button type="button" title={column.about} onClick={() => setSort({ key: column.key, down: mine ? !sort.down : Boolean(column.number) })}>
                    {column.name}
                    <i aria-hidden="true">{mine ? (sort.down ? "↓" : "↑") : ""}</i>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} class={chosen.has(row.id) ? "chosen" : ""}>
              <td class="tick">
                <input type="checkbox" aria-label={`Choose ${row.id}`} checked={chosen.has(row.id)} onChange={() => toggle(row.id)} />
              </td>
              {columns.map((column) => (
                <td key={column.key} class={`${column.key} ${column.number ? "number" : ""}`}>
                  <CellOf column={column.key} row={row} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CellOf({ column, row }: { column: Key; row: Row }) {
  const numbers = row.numbers;
  switch (column) {
    case "id":
      return (
        <>
          <a class="name" href={href(["run", row.id])}><PathName path={row.id} /></a>
          <Tags row={row} />
          {row.note && <span class="note"><Words said={row.note} /></span>}
        </>
      );
    case "status":
      return <Standing row={row} />;
    case "world":
    case "planner":
    case "explore":
      return <Spec spec={row[column]} />;
    case "memory":
      return <Words said={row.memory} />;
    case "regret":
      if (numbers === null) return <span class="pending">…</span>;
      if (!isNumber(numbers.regret)) return <span title="the world has no optimum to compare with">–</span>;
      return (
        <span class="with-spark">
          {numbers.curve && <Spark values={numbers.curve} label={`cumulative ${text(numbers.measure)}, rising to ${num(numbers.regret)}`} />}
          <span>{withHalf(numbers.regret, numbers.regret_half_width)}</span>
        </span>
      );
    case "return":
      if (numbers === null) return <span class="pending">…</span>;
      return <Sparked numbers={numbers} measure="return">{num(numbers.mean_return)}</Sparked>;
    case "score":
      return <Sparked numbers={numbers ?? {}} measure="score">{withHalf(numbers?.score, numbers?.score_half_width)}</Sparked>;
    case "explored":
      return <>{percent(numbers?.explored)}</>;
    case "slope":
      return <span title={isNumber(numbers?.slope_low) ? `95% interval ${num(numbers?.slope_low)} to ${num(numbers?.slope_high)}` : undefined}>{isNumber(numbers?.slope) ? numbers.slope.toFixed(2) : "–"}</span>;
    case "tokens":
      return <>{count(tokens(row))}</>;
    case "cost":
      return <>{money(numbers?.spent?.cost || null)}</>;
    case "changed":
      return (
        <>
          {ago(row.changed)}
          {isNumber(row.wall_s) && <small>took {seconds(row.wall_s)}</small>}
        </>
      );
  }
}

/** The score or the return, with its curve where these are what the run is measured by. */
function Sparked({ numbers, measure, children }: { numbers: Numbers; measure: string; children: ComponentChildren }) {
  if (numbers.measure !== measure || !numbers.curve) return <>{children}</>;
  return (
    <span class="with-spark">
      <Spark values={numbers.curve} label={`mean ${measure} so far, ${num(numbers.curve.at(-1))} at the end`} />
      <span title={learnt(numbers)}>{children}</span>
    </span>
  );
}

/** What was learnt, in words. */
export function learnt({ scores }: Numbers): string {
  if (!scores) return "";
  const many = isNumber(scores.episodes_to_success) ? `, half of the runs once by episode ${num(scores.episodes_to_success)}` : "";
  return `${withHalf(scores.gain, scores.gain_half_width)} from the first quarter to the last${isNumber(scores.success) ? `; success in ${percent(scores.success)} of the episodes${many}` : ""}`;
}

/** A path that comes apart after its slashes before anywhere else. */
function PathName({ path }: { path: string }) {
  const parts = path.split("/");
  return (
    <bdi class="words path" dir="auto">
      {parts.map((part, i) => (
        <Fragment key={i}>
          {part}
          {i + 1 < parts.length && (
            <>
              /<wbr />
            </>
          )}
        </Fragment>
      ))}
    </bdi>
  );
}

/** Kind first, arguments small below it: a long name never pushes numbers away. */
export function Spec({ spec }: { spec: unknown }) {
  const [kind, rest] = split(spec);
  return (
    <span class="spec" title={text(spec)}>
      <b><Words said={kind} /></b>
      {rest && <small><Words said={rest} /></small>}
    </span>
  );
}

export function Standing({ row }: { row: Row }) {
  const progress = row.progress;
  const share = progress && progress.total ? progress.done / progress.total : null;
  return (
    <span class="standing">
      <StatusChip status={row.status} />
      {progress && row.status !== "finished" && share !== null && (
        <>
          <progress max={1} value={share} aria-label={`${percent(share)} of the episodes`} />
          <small>
            {percent(share)}
            {isNumber(progress.left_s) && `, ${seconds(progress.left_s)} left`}
          </small>
        </>
      )}
      {row.error && <small class="why"><Words said={row.error} /></small>}
    </span>
  );
}

function Card({ row, chosen, toggle }: { row: Row; chosen: boolean; toggle: (id: string) => void }) {
  const numbers = row.numbers;
  return (
    <article class={chosen ? "card chosen" : "card"}>
      <header>
        <input type="checkbox" aria-label={`Choose ${row.id}`} checked={chosen} onChange={() => toggle(row.id)} />
        <a class="name" href={href(["run", row.id])}><PathName path={row.id} /></a>
      </header>
      <Standing row={row} />
      <div class="specs"><Spec spec={row.world} /><Spec spec={row.planner} /><Spec spec={row.explore} /></div>
      <dl>
        {isNumber(numbers?.regret) && <><dt>regret</dt><dd>{withHalf(numbers.regret, numbers.regret_half_width)}</dd></>}
        {isNumber(numbers?.score) && <><dt>score</dt><dd>{withHalf(numbers.score, numbers.score_half_width)}</dd></>}
        <dt>return</dt><dd>{num(numbers?.mean_return)}</dd>
        <dt>explored</dt><dd>{percent(numbers?.explored)}</dd>
        {tokens(row) !== null && <><dt>tokens</dt><dd>{count(tokens(row))}</dd></>}
      </dl>
      {numbers?.curve && <Spark values={numbers.curve} label={isNumber(numbers.regret) ? `cumulative ${text(numbers.measure)}` : `mean ${text(numbers.measure)} so far`} />}
      <Tags row={row} />
    </article>
  );
}

