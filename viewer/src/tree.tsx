// What a planner that searches imagined at a decision: its search tree, grown again from the log on request.
import { useState } from "preact/hooks";
import { isHeld, isReport, useAnswer } from "./api";
import { count, num, split } from "./format";
import type { Refused, Tree, TreeSubgoal } from "./types";
import { Panel, Problem, Waiting, Words } from "./ui";

interface Props {
  id: string;
  run: number;
  episode: number;
  step: number;
  planner: string;
}

export function TreePanel(props: Props) {
  const [kind, rest] = split(props.planner);
  const { id, run, episode, step } = props;
  if (kind !== "world-model" || /model=[^,]*\//.test(rest) || !isHeld("tree", { id, run, episode, step })) return null;
  return <Grown key={`${props.run}:${props.episode}:${props.step}`} {...props} />;
}

function Grown({ id, run, episode, step }: Props) {
  const [wanted, want] = useState(isReport());
  const { data, error } = useAnswer<Tree | Refused>(wanted ? "tree" : null, { id, run, episode, step });
  return (
    <Panel title="Search tree" note="what the planner imagined">
      {!wanted && <button type="button" onClick={() => want(true)}>Grow it again</button>}
      <Problem said={error} />
      {wanted && !data && !error && <Waiting what="Hearing the log again, and searching ..." />}
      {data && "refused" in data && <Problem said={data.refused} mild />}
      {data && "subgoals" in data && (
        <>
          <p class="note">{count(data.calls)} model calls. Each subgoal with the reward to be expected from it to the end; below it what the model predicts would be heard.</p>
          <Subgoals subgoals={data.subgoals} top />
        </>
      )}
    </Panel>
  );
}

function Subgoals({ subgoals, top = false }: { subgoals: TreeSubgoal[]; top?: boolean }) {
  const most = Math.max(...subgoals.map((one) => one.visits), 1);
  return (
    <ul class="tree">
      {subgoals.map((one, i) => (
        <li key={i}>
          <details open={top && i === 0}>
            <summary>
              <b><Words said={one.said} /></b>
              <span class="track" aria-hidden="true"><i class="fill" style={{ width: `${((100 * one.visits) / most).toFixed(1)}%` }} /></span>
              <span class="note">worth {num(one.value)}, {count(one.visits)} visits, proposed {num(one.proposed)}</span>
            </summary>
            <ul>
              {one.heard.map((heard, k) => (
                <li key={k}>
                  {heard.subgoals.length ? (
                    <details><summary><Heard heard={heard} /></summary><Subgoals subgoals={heard.subgoals} /></details>
                  ) : (
                    <Heard heard={heard} />
                  )}
                </li>
              ))}
              {one.rest > 0.0005 && <li class="note">{num(one.rest)} other sentences, each less likely than 0.005</li>}
            </ul>
          </details>
        </li>
      ))}
    </ul>
  );
}

function Heard({ heard }: { heard: TreeSubgoal["heard"][number] }) {
  return (
    <span>
      <span class="probability">{heard.probability.toFixed(2)}</span> “<Words said={heard.said} />”
      {heard.pays !== 0 && <b class="reward"> +{num(heard.pays)}</b>}
    </span>
  );
}
