// One episode, step by step: what was heard, proposed, chosen and paid; keys go from step to step.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, isReport, useAnswer } from "./api";
import { BeliefsPanel } from "./beliefs";
import { CallsPanel } from "./calls";
import { count, isNumber, num, percent, seconds, split, text } from "./format";
import { useLive } from "./live";
import { go, here, href } from "./route";
import { TreePanel } from "./tree";
import type { ActorBars, Episode, Run, Step } from "./types";
import { Chip, Panel, Problem, useTitle, Waiting, Words } from "./ui";

interface Props {
  id: string;
  run: number;
  episode: number;
  step: number | null;
}

export function EpisodeView({ id, run, episode, step }: Props) {
  const live = useLive();
  useTitle(`${id}, run ${run}, episode ${episode}`);
  const row = live.rows.get(id);
  const about = useAnswer<Run>("run", { id });
  const [done, setDone] = useState(false); // an episode that is complete does not change any more
  const { data, error } = useAnswer<Episode>("episode", { id, run, episode }, done ? "done" : (live.versions.get(id) ?? 0));
  useEffect(() => setDone(Boolean(data?.complete)), [data?.complete, data?.episode, data?.run]);
  const steps = data?.steps ?? [];
  const index = Math.min(Math.max(0, (step ?? 1) - 1), Math.max(0, steps.length - 1));
  const shown = steps[index];
  const to = (r: number, t: number, h?: number) => go(href(h === undefined ? ["run", id, r, t] : ["run", id, r, t, h]), h !== undefined && t === episode);
  const runs = about.data?.latents.length ?? 1;
  const last = about.data?.progress ? Number(about.data.episodes ?? 1) - 1 : episode;

  const keys = useRef<(event: KeyboardEvent) => void>(() => undefined);
  keys.current = (event) => {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.getAttribute("role") === "application") return;
    const [r = run, t = episode] = here().path.slice(2, 4).map(Number); // ahead of what is drawn, where keys follow fast
    const drawn = r === run && t === episode;
    const after = () => drawn && index + 1 < steps.length && to(run, episode, index + 2);
    const before = () => drawn && index > 0 && to(run, episode, index);
    const moves: Record<string, () => void> = {
      ArrowRight: after,
      ArrowLeft: before,
      j: after,
      k: before,
      n: () => t < last && to(r, t + 1),
      p: () => t > 0 && to(r, t - 1),
      N: () => r + 1 < runs && to(r + 1, t),
      P: () => r > 0 && to(r - 1, t),
      u: () => go(href(["run", id])),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => keys.current(event);
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);

  const spec = text(row?.explore ?? about.data?.explore);
  return (
    <>
      <div class="page-head">
        <div>
          <nav class="crumbs" aria-label="Where this is"><a href={href(["run", id])}><Words said={id} /></a> <span aria-hidden="true">/</span> run {run} <span aria-hidden="true">/</span> episode {episode.toLocaleString("en")}</nav>
          <h1 class="instruction">{data?.instruction ? <>“<Words said={data.instruction} />”</> : `Episode ${episode}`}</h1>
        </div>
        <div class="tools">
          <span class="pair">
            <a class="button" aria-disabled={episode <= 0} href={href(["run", id, run, Math.max(0, episode - 1)])} title="key p">← Episode</a>
            <a class="button" aria-disabled={episode >= last} href={href(["run", id, run, Math.min(last, episode + 1)])} title="key n">Episode →</a>
          </span>
          <span class="pair">
            <a class="button" aria-disabled={run <= 0} href={href(["run", id, Math.max(0, run - 1), episode])} title="key P">← Run</a>
            <a class="button" aria-disabled={run + 1 >= runs} href={href(["run", id, Math.min(runs - 1, run + 1), episode])} title="key N">Run →</a>
          </span>
        </div>
      </div>
      <Problem said={error} />
      {!data && !error && <Waiting what="Reading the episode ..." />}
      {data && (
        <>
          <Facts data={data} explore={spec} />
          {steps.length === 0 && <p class="empty">The steps of this run were not recorded: <code>--record steps</code> keeps them.</p>}
          {shown && (
            <div class="episode">
              <Steps id={id} data={data} index={index} />
              <div class="detail">
                <Decision step={shown} last={index === steps.length - 1} explore={spec} total={steps.length} />
                <Film id={id} data={data} />
                <BeliefsPanel id={id} run={run} episode={episode} step={index} complete={data.complete} />
                <CallsPanel id={id} run={run} episode={episode} step={shown} planner={text(about.data?.planner)} />
                <TreePanel id={id} run={run} episode={episode} step={shown.step} planner={text(about.data?.planner)} />
              </div>
            </div>
          )}
          {data.cut && <p class="note">The episode is longer: its first {steps.length} steps are shown.</p>}
        </>
      )}
    </>
  );
}

function Facts({ data, explore }: { data: Episode; explore: string }) {
  const spent = data.steps.reduce((sum, step) => sum + (step.spent ? step.spent.prompt_tokens + step.spent.completion_tokens : 0), 0);
  return (
    <p class="facts">
      {!data.complete && <Chip kind="status running">going on</Chip>}
      {data.complete && (data.explored ? <Chip kind="explored" title={explore}>explored</Chip> : <Chip>not explored</Chip>)}
      {isNumber(data.return) && <Chip>return <b>{num(data.return)}</b>{isNumber(data.optimal_value) && <> of <b>{num(data.optimal_value)}</b> expected at best</>}</Chip>}
      {isNumber(data.expected_regret) && <Chip kind={data.expected_regret > 1e-6 ? "bad" : "good"}>expected regret <b>{num(data.expected_regret)}</b></Chip>}
      {!isNumber(data.expected_regret) && isNumber(data.regret) && <Chip>regret <b>{num(data.regret)}</b></Chip>}
      {isNumber(data.score) && <Chip>score <b>{num(data.score)}</b></Chip>}
      {spent > 0 && <Chip>{count(spent)} tokens</Chip>}
      <Chip kind="secret" title="The true latent of this run: no planner is ever told">hidden truth: <b><Words said={data.latent} /></b></Chip>
    </p>
  );
}

function Steps({ id, data, index }: { id: string; data: Episode; index: number }) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [index]);
  const end = data.steps.at(-1);
  return (
    <ol class="steps" ref={list} aria-label="Steps">
      {data.steps.map((step, i) => (
        <li key={step.step} class={step.explored ? "explored" : ""}>
          <p class="heard"><Words said={step.observation} /></p>
          <a href={href(["run", id, data.run, data.episode, i + 1])} aria-current={i === index ? "step" : undefined}>
            <span class="number" aria-label={`step ${step.step}`}>{step.step}</span>
            <span class="said">{step.subgoal.map((part, k) => <span key={k}>{k > 0 && " / "}<Words said={part} /></span>)}</span>
            <span class="marks">
              {step.explored && <i class="dot explored" title="explored"><span class="unseen">explored</span></i>}
              {step.low_level?.event && <i class="dot bad" title={text(step.low_level.event)}><span class="unseen">fault</span></i>}
              {(step.invalid || (step.spent && step.spent.failed > 0)) && <i class="dot bad" title="calls that failed, or no usable answer"><span class="unseen">failed calls</span></i>}
              {isNumber(step.reward) && step.reward !== 0 && <b class="reward">+{num(step.reward)}</b>}
            </span>
          </a>
        </li>
      ))}
      {end && data.complete && <li class="end"><p class="heard"><Words said={end.next_observation} /></p></li>}
    </ol>
  );
}

function Decision({ step, last, explore, total }: { step: Step; last: boolean; explore: string; total: number }) {
  return (
    <Panel title={`Step ${step.step}`} note={`of ${total} · keys ← → steps, n p episodes, u up`}>
      <div class="dialogue">
        <p class="turn world"><span class="who">hears</span><Words said={step.observation} /></p>
        <div class="turn planner">
          <span class="who">proposes</span>
          <div class="proposal">
            {step.actors.map((actor, k) => (
              <div key={k} class="actor">
                {step.actors.length > 1 && <h3>Actor {k + 1}</h3>}
                <Bars actor={actor} />
              </div>
            ))}
            {step.source && <p class="note">{step.invalid ? "No usable answer came: the proposal is uniform." : <>The planner gives no probabilities, but <Words said={step.source} />.</>}</p>}
          </div>
        </div>
        <p class={step.explored ? "turn done explored" : "turn done"}><span class="who">is told</span><b>{step.subgoal.map((part, k) => <span key={k}>{k > 0 && " / "}<Words said={part} /></span>)}</b></p>
        <p class="why"><Why step={step} explore={explore} /></p>
        <p class="turn world"><span class="who">{last ? "at the end" : "then hears"}</span><Words said={step.next_observation} /></p>
      </div>
      <p class="facts">
        {isNumber(step.reward) && <Chip kind={step.reward > 0 ? "good" : ""}>reward <b>{num(step.reward)}</b></Chip>}
        {step.low_level && isNumber(step.low_level.actions) && <Chip>{count(step.low_level.actions)} low-level actions</Chip>}
        {step.low_level?.event && <Chip kind="bad"><Words said={step.low_level.event} /></Chip>}
        {isNumber(step.left_out) && step.left_out > 0 && <Chip>{count(step.left_out)} earlier episodes not in the prompt</Chip>}
        {step.spent && <Chip>{count(step.spent.prompt_tokens)} + {count(step.spent.completion_tokens)} tokens, {count(step.spent.cached_tokens)} cached, {seconds(step.spent.latency_s)}</Chip>}
        {step.spent && step.spent.failed > 0 && <Chip kind="bad">{step.spent.failed} of {step.spent.calls} calls failed</Chip>}
      </p>
    </Panel>
  );
}

const WHY: Record<string, string> = {
  "epsilon-greedy": "its coin said that this episode or step explores: the subgoal comes from the exploration policy, not from the planner",
  adaptive: "it tries a behaviour whose worth is not known yet, because finding out is worth its cost",
  "adaptive-proposals": "it tries what the proposals leave open and no longer learn about",
  "posterior-sampling": "it follows the expert of a latent drawn from the posterior",
  "bayes-adaptive": "it follows the optimum by dynamic programming over beliefs",
};

/** Whether it explored and why, with the probabilities of what was done. */
function Why({ step, explore }: { step: Step; explore: string }) {
  const chosen = step.actors.map((actor) => actor.bars.find((bar) => bar.chosen));
  const proposed = chosen.map((bar) => bar?.proposal ?? bar?.answers);
  const law = chosen.map((bar) => bar?.law);
  const shares = isNumber(proposed[0]) ? `The planner gave it ${proposed.map((p) => percent(p, 1)).join(" / ")}` : "";
  const executed = isNumber(law[0]) ? `; with the explorer it had ${law.map((p) => percent(p, 1)).join(" / ")}` : "";
  const [kind] = split(explore);
  if (!step.explored) return <>{shares ? `${shares}${executed}.` : ""} The explorer did not interfere.</>;
  return <><b>Explored:</b> <Words said={kind} />: {WHY[kind] ?? "the explorer chose, not the planner"}. {shares && `${shares}${executed}.`}</>;
}

function Bars({ actor }: { actor: ActorBars }) {
  const known = actor.bars.some((bar) => isNumber(bar.proposal) || isNumber(bar.answers));
  const law = actor.bars.some((bar) => isNumber(bar.law));
  return (
    <>
      <ul class="bars">
        {actor.bars.map((bar, i) => {
          const share = bar.proposal ?? bar.answers;
          return (
            <li key={i} class={bar.chosen ? "chosen" : ""}>
              <span class="label">{bar.chosen && <span class="unseen">chosen: </span>}<Words said={bar.said} /></span>
              <span class="track" aria-hidden="true">
                {isNumber(share) && <i class="fill" style={{ width: width(share) }} />}
                {isNumber(bar.law) && <i class="law" style={{ left: width(bar.law) }} />}
              </span>
              <span class="value">{isNumber(share) ? share.toFixed(3) : known ? "0" : ""}</span>
            </li>
          );
        })}
        {actor.off_menu !== null && <li class="chosen"><span class="label"><Words said={actor.off_menu} /></span><span class="note">is not on the menu</span></li>}
      </ul>
      {actor.others > 0 && <p class="note">and {count(actor.others)} more, {percent(actor.rest["proposal"] ?? actor.rest["answers"] ?? 0, 1)} together</p>}
      {law && <p class="note key"><i class="law" /> what was executed, the explorer's coin averaged out</p>}
    </>
  );
}

function width(share: number): string {
  return `${Math.min(100, Math.max(0, 100 * share)).toFixed(2)}%`;
}

function Film({ id, data }: { id: string; data: Episode }) {
  const [made, setMade] = useState<{ kind: string; data: string } | null>(null);
  const [said, say] = useState("");
  useEffect(() => (setMade(null), say("")), [id, data.run, data.episode]);
  const physical = data.steps.some((step) => step.low_level);
  const kept = useAnswer<{ kind: string; data: string }>(isReport() && data.film ? "film" : null, { id, name: data.film ?? "" });
  if (!data.film && !physical) return null;
  const source = data.film ? (isReport() ? kept.data?.data : `/film?${new URLSearchParams({ id, name: data.film })}`) : made?.data;
  const play = async () => {
    say("Playing the episode again ...");
    try {
      const answer = await ask<{ kind: string; data: string; refused?: string }>("replay", { id, run: data.run, episode: data.episode });
      say(answer.refused ?? "");
      if (!answer.refused) setMade(answer);
    } catch (wrong) {
      say(String((wrong as Error).message));
    }
  };
  const about = `Film of run ${data.run}, episode ${data.episode}`;
  return (
    <Panel title="Film" note={data.film ? undefined : "the low level, played again from the log"}>
      {source && (data.film?.endsWith(".mp4") ? <video class="film" src={source} controls loop muted autoplay aria-label={about} /> : <img class="film" src={source} alt={about} />)}
      {!source && !isReport() && <button type="button" onClick={() => void play()}>Film this episode</button>}
      <Problem said={said} />
    </Panel>
  );
}
