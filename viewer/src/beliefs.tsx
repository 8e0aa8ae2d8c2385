// What an exact Bayesian observer of this run would believe of the hidden latent. The planner is never shown it.
import { useAnswer } from "./api";
import { percent } from "./format";
import type { Beliefs, Refused } from "./types";
import { Chip, Panel, Problem, Waiting, Words } from "./ui";

interface Props {
  id: string;
  run: number;
  episode: number;
  step: number; // index of the decision: 0 is before the first step
  complete: boolean;
}

export function BeliefsPanel({ id, run, episode, step, complete }: Props) {
  const { data, error } = useAnswer<Beliefs | Refused>(complete ? "beliefs" : null, { id, run, episode });
  if (!complete) return null;
  return (
    <Panel title="Belief over latents" note={<Chip kind="secret">unknown to the planner</Chip>}>
      <p class="note">The exact posterior of an observer who knows the tables, given all this run has heard before this decision. <span class="key"><i class="was" /> one step before.</span></p>
      {error && <Problem said={error} />}
      {!data && !error && <Waiting what="Hearing the log again ..." />}
      {data && "refused" in data && <Problem said={data.refused} mild />}
      {data && "latents" in data && <Rows data={data} step={step} />}
    </Panel>
  );
}

function Rows({ data, step }: { data: Beliefs; step: number }) {
  const rest = data.rest[step] ?? 0;
  return (
    <ul class="bars beliefs">
      {data.latents.map((one) => {
        const share = one.probability[step] ?? 0;
        const before = step > 0 ? (one.probability[step - 1] ?? share) : one.prior;
        return (
          <li key={one.latent} class={one.true ? "true" : ""}>
            <span class="label">{one.true && <Chip kind="secret">true</Chip>} <Words said={one.latent} /></span>
            <span class="track" aria-hidden="true">
              <i class="fill" style={{ width: `${(100 * share).toFixed(2)}%` }} />
              <i class="was" style={{ left: `${(100 * before).toFixed(2)}%` }} />
            </span>
            <span class="value">{percent(share, share < 0.1 && share > 0 ? 1 : 0)}</span>
          </li>
        );
      })}
      {data.others > 0 && <li class="others"><span class="label">{data.others} others</span><span class="track" aria-hidden="true"><i class="fill" style={{ width: `${(100 * rest).toFixed(2)}%` }} /></span><span class="value">{percent(rest, 1)}</span></li>}
    </ul>
  );
}
