// One run directory: its numbers, the heat map, its curve, lists of episodes, the first time that something, diagnosis.
import { useState } from "preact/hooks";
import { isHeld, isReport, useAnswer } from "./api";
import { Chart } from "./chart";
import { count, isNumber, money, num, percent, seconds, text, withHalf } from "./format";
import { soFar } from "./compare";
import { HeatMap } from "./heat";
import { useLive } from "./live";
import { NoteEditor } from "./notes";
import { href } from "./route";
import { Spec, Standing } from "./runs";
import type { Compared, Diagnosis, Episodes, First, Refused, Run } from "./types";
import { Choice, Panel, Problem, Select, Tile, useTitle, Waiting, Words } from "./ui";

export function RunView({ id }: { id: string }) {
  const live = useLive();
  useTitle(id);
  const version = live.versions.get(id) ?? 0;
  const { data: run, error } = useAnswer<Run>("run", { id }, version);
  if (error) return <><h1><Words said={id} /></h1><Problem said={error} /></>;
  if (!run) return <Waiting what="Reading the run ..." />;
  const row = live.rows.get(id) ?? run;
  const numbers = row.numbers ?? {};
  const spent = numbers.spent;
  return (
    <>
      <div class="page-head">
        <div>
          <h1><Words said={id} /></h1>
          <p class="under-title"><Spec spec={run.world} /><Spec spec={run.planner} /><Spec spec={run.explore} /></p>
        </div>
        <div class="tools"><Standing row={row} /><a class="button" href={href(["compare"], { ids: JSON.stringify([id]) })}>Curves</a></div>
      </div>
      <dl class="tiles">
        {numbers.regret !== undefined && <Tile name={text(numbers.measure ?? "regret")} value={withHalf(numbers.regret, numbers.regret_half_width)} note="a whole run, 95% interval" kind="first" />}
        <Tile name="return" value={num(numbers.mean_return)} note="mean of an episode" />
        {isNumber(numbers.score) && <Tile name="score" value={withHalf(numbers.score, numbers.score_half_width)} note="share of the largest return" {...(numbers.measure === "score" ? { kind: "first" } : {})} />}
        {numbers.scores && <Tile name="learnt" value={withHalf(numbers.scores.gain, numbers.scores.gain_half_width)} note="the last quarter less the first" />}
        {isNumber(numbers.scores?.success) && <Tile name="success" value={percent(numbers.scores.success)} note={isNumber(numbers.scores.episodes_to_success) ? `half of the runs once by episode ${num(numbers.scores.episodes_to_success)}` : "of the episodes"} kind="good" />}
        {numbers.scores && Object.entries(numbers.scores.references).map(([name, value]) => <Tile key={name} name={<Words said={name} />} value={num(value)} note="for comparison" />)}
        <Tile name="explored" value={percent(numbers.explored)} note="of the episodes" kind="explored" />
        {isNumber(numbers.slope) && <Tile name="growth" value={numbers.slope.toFixed(2)} note={isNumber(numbers.slope_low) ? `95%: ${numbers.slope_low.toFixed(2)} to ${num(numbers.slope_high)}` : "of log regret"} />}
        {spent && <Tile name="tokens" value={count(spent.prompt_tokens + spent.completion_tokens)} note={`${count(spent.calls)} calls, ${percent(spent.cached_tokens / Math.max(1, spent.prompt_tokens))} cached`} />}
        {spent && spent.cost > 0 && <Tile name="cost" value={money(spent.cost)} note="by the table of prices" />}
        {isNumber(numbers.faults) && numbers.faults > 0 && <Tile name="faults" value={count(numbers.faults)} note="of calls or the low level" kind="bad" />}
        <Tile name="episodes" value={`${text(run.runs)} × ${isNumber(run.episodes) ? run.episodes.toLocaleString("en") : text(run.episodes)}`} note={`${run.record === "steps" ? "with" : "without"} their steps`} />
        {isNumber(run.wall_s) && <Tile name="time" value={seconds(run.wall_s)} note="so far" />}
      </dl>
      <NoteEditor row={row} />
      <Panel title="Every episode of every run" note="one row a run">
        <HeatMap run={run} version={version} />
      </Panel>
      <div class="two">
        <Panel title="Episodes"><EpisodeList run={run} version={version} /></Panel>
        <div>
          <Curve run={run} version={version} />
          <Panel title="The first time that …"><FirstTime run={run} /></Panel>
          <Panel title="Diagnosis" note="parley diagnose"><DiagnosisOf run={run} /></Panel>
        </div>
      </div>
      <Panel title="Configuration"><Manifest run={run} /></Panel>
    </>
  );
}

function Curve({ run, version }: { run: Run; version: unknown }) {
  const metric = run.names.first;
  const { data } = useAnswer<Compared>("compare", { ids: JSON.stringify([run.id]), metric, way: "cumulative" }, version);
  const curve = data?.curves[0];
  if (!curve?.x.length) return null;
  const y = soFar(metric, curve.measure);
  return (
    <Panel title={<span class="cap">{y}</span>} note="mean over runs, 95% band">
      <Chart lines={[{ id: run.id, label: run.id, x: curve.x, mean: curve.mean, half: curve.half }]} x="episode" y={y} height={220} zero legend={false} />
    </Panel>
  );
}

const SORTS = [["episode", "in order"], ["worst", "worst first"], ["best", "best first"], ["faults", "most faults"], ["tokens", "most tokens"]] as const;
const ONLY = [["all", "All"], ["explored", "Explored"], ["not explored", "Not explored"], ["faults", "With faults"]] as const;

function EpisodeList({ run, version }: { run: Run; version: unknown }) {
  const [sort, setSort] = useState<(typeof SORTS)[number][0]>("worst");
  const [only, setOnly] = useState<(typeof ONLY)[number][0]>("all");
  const [offset, setOffset] = useState(0);
  const { data, error } = useAnswer<Episodes>("episodes", { id: run.id, sort, only, offset: offset || undefined }, version);
  const has = (metric: string) => run.names.metrics.includes(metric);
  const sorts = SORTS.filter(([name]) => (name !== "faults" && name !== "tokens") || has(name));
  const filters = ONLY.filter(([name]) => name !== "faults" || has("faults"));
  const { measure, first } = run.names;
  return (
    <>
      <div class="tools">
        <Choice label="Which episodes" options={filters} value={only} pick={(value) => (setOnly(value), setOffset(0))} />
        <Select label="Order" options={sorts} value={sort} pick={(value) => (setSort(value), setOffset(0))} />
      </div>
      <Problem said={error} />
      {data && (
        <>
          <div class="scroll list" tabIndex={0} role="region" aria-label="Table of episodes">
            <table>
              <thead>
                <tr>
                  <th>episode</th><th>instruction</th><th class="number">return</th>
                  {first === "regret" && <th class="number">regret</th>}
                  {has("score") && <th class="number">score</th>}
                  {has("tokens") && <th class="number">tokens</th>}
                  {has("faults") && <th class="number">faults</th>}
                </tr>
              </thead>
              <tbody>
                {data.episodes.map((one) => (
                  <tr key={`${one.run}:${one.episode}`}>
                    <td class="place"><a class={isHeld("episode", { id: run.id, run: one.run, episode: one.episode }) ? "" : "quiet"} href={href(["run", run.id, one.run, one.episode])}>run {one.run}, {one.episode.toLocaleString("en")}</a>{one.explored ? <span class="dot explored" title="explored"><span class="unseen">explored</span></span> : null}</td>
                    <td><Words said={one.instruction} /></td>
                    <td class="number">{num(one.return)}</td>
                    {first === "regret" && <td class="number">{num(measure === "regret" ? one.regret : one.expected_regret)}</td>}
                    {has("score") && <td class="number">{num(one.score)}</td>}
                    {has("tokens") && <td class="number">{count(one.tokens)}</td>}
                    {has("faults") && <td class="number">{one.faults || ""}</td>}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <div class="pager">
            <button type="button" disabled={!offset || isReport()} onClick={() => setOffset(Math.max(0, offset - data.page))}>Before</button>
            <span>{data.total ? `${(offset + 1).toLocaleString("en")} to ${Math.min(offset + data.page, data.total).toLocaleString("en")} of ${data.total.toLocaleString("en")}` : "no episodes"}</span>
            <button type="button" disabled={offset + data.page >= data.total || isReport()} onClick={() => setOffset(offset + data.page)}>After</button>
          </div>
        </>
      )}
    </>
  );
}

const EVENTS = [
  ["explored", "it explored"],
  ["no regret", "it lost nothing"],
  ["best return", "it reached the best return"],
  ["fault", "a fault happened"],
  ["executed", "this was executed:"],
  ["heard", "this was heard:"],
] as const;

function FirstTime({ run }: { run: Run }) {
  const [event, setEvent] = useState<(typeof EVENTS)[number][0]>("explored");
  const [typed, type] = useState("");
  const [sought, seek] = useState("");
  const said = event === "executed" || event === "heard";
  const ready = !said || sought;
  const { data, error, loading } = useAnswer<First>(ready ? "first" : null, { id: run.id, event, text: said ? sought : undefined });
  const events = EVENTS.filter(([name]) => (name !== "no regret" || run.names.first === "regret") && (name !== "fault" || run.names.metrics.includes("faults")) && ((name !== "executed" && name !== "heard") || (run.record === "steps" && !isReport())));
  return (
    <form class="first" onSubmit={(e) => (e.preventDefault(), seek(typed))}>
      <div class="tools">
        <Select label="What" options={events} value={event} pick={setEvent} />
        {said && <input aria-label="Words to look for" placeholder="words, or a part of them" value={typed} onInput={(e) => type(e.currentTarget.value)} />}
        {said && <button type="submit">Look</button>}
      </div>
      <Problem said={error} />
      {ready && loading && <Waiting what="Looking through the log ..." />}
      {ready && data && !loading && (
        <>
          <ul class="places">
            {data.found.slice(0, 64).map(([r, t, h]) => (
              <li key={r}><a href={href(h === null ? ["run", run.id, r, t] : ["run", run.id, r, t, h])}>run {r}: {t.toLocaleString("en")}{h !== null && `, step ${h}`}</a></li>
            ))}
          </ul>
          <p class="note">
            {data.found.length ? `episode in which it happened first, in ${data.found.length} runs; in ${data.none} it did not` : "It never happened"}
            {data.searched < 1 && ` (${percent(data.searched)} of the log was looked through)`}.
          </p>
        </>
      )}
    </form>
  );
}

function DiagnosisOf({ run }: { run: Run }) {
  const [wanted, want] = useState(isReport());
  const { data, error } = useAnswer<Diagnosis | Refused>(wanted ? "diagnosis" : null, { id: run.id });
  if (!wanted) return <button type="button" onClick={() => want(true)}>What goes wrong in this run, if anything?</button>;
  if (error) return <Problem said={error} />;
  if (!data) return <Waiting what="Hearing the log again ..." />;
  if ("refused" in data) return <Problem said={data.refused} mild />;
  const curves = Object.entries(data.evidence.curves).map(([label, values]) => ({ id: label, label, x: values.map((_, i) => i), mean: values, half: [] }));
  return (
    <div class="diagnosis">
      <p><b class={data.signature === "healthy" ? "good" : "bad"}><Words said={data.signature} /></b>: <Words said={data.because} /></p>
      <p class="note">Try next: <Words said={data.try_next} /></p>
      <p class="note">{Object.entries(data.statistics).map(([name, value]) => `${name} ${num(value)}`).join(", ")}</p>
      {data.look_at.length > 0 && <p>Look at {data.look_at.map(([r, t], i) => <span key={`${r}:${t}`}>{i > 0 && ", "}<a href={href(["run", run.id, r, t])}>run {r}, episode {t}</a></span>)}</p>}
      <Chart lines={curves} x="episode" y={data.evidence.quantity} height={200} level={data.evidence.limit} legend={curves.length > 1} />
    </div>
  );
}

function Manifest({ run }: { run: Run }) {
  const config = (run.manifest["config"] ?? {}) as Record<string, unknown>;
  const others = Object.fromEntries(Object.entries(run.manifest).filter(([name]) => name !== "config"));
  return (
    <>
      <dl class="config">
        {Object.entries(config).map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd><Words said={value ?? "–"} /></dd></div>
        ))}
      </dl>
      <details><summary>Everything else in the manifest</summary><pre tabIndex={0}><Words said={JSON.stringify(others, null, 2)} /></pre></details>
      {run.films.length > 0 && <p class="note">Films: {run.films.map((film, i) => <span key={film.name}>{i > 0 && ", "}<a href={href(["run", run.id, film.run, film.episode])}>run {film.run}, episode {film.episode}</a></span>)}</p>}
    </>
  );
}
