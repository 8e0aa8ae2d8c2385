// The calls of a decision: the exact prompt with what is new in it, the raw answer, what it took.
import { useEffect, useRef, useState } from "preact/hooks";
import { isReport, useAnswer } from "./api";
import { count, isNumber, money, num, seconds, split, text } from "./format";
import type { Call, Calls, Refused, Step } from "./types";
import { Chip, Panel, Problem, Waiting, Words } from "./ui";

interface Props {
  id: string;
  run: number;
  episode: number;
  step: Step;
  planner: string;
}

export function CallsPanel({ id, run, episode, step, planner }: Props) {
  const [kind] = split(planner);
  const asked = Boolean(step.spent);
  const { data, error } = useAnswer<Calls>(asked ? "calls" : null, { id, run, episode, step: step.step });
  if (kind === "hf" || kind === "transformer") return isReport() ? null : <Remade key={`${run}:${episode}:${step.step}`} id={id} run={run} episode={episode} step={step.step} />;
  if (!asked) return null;
  return (
    <Panel title="Model calls" note={`${step.spent?.calls ?? 0} for this decision`}>
      <Problem said={error} />
      {!data && !error && <Waiting what="Reading the calls ..." />}
      {data?.calls.map((call, i) => <CallOf key={i} call={call} open={i === data.calls.length - 1} />)}
    </Panel>
  );
}

function CallOf({ call, open }: { call: Call; open: boolean }) {
  const good = call.outcome === "ok" || call.outcome === "cached";
  return (
    <details class="call" open={open}>
      <summary>
        <Words said={call.purpose} /> <Chip kind={good ? "good" : "bad"}><Words said={call.outcome} /></Chip>
        <span class="note">
          <Words said={call.model} />
          {isNumber(call.attempts) && call.attempts > 1 && `, attempt ${call.attempts}`}
          {isNumber(call.prompt_tokens) && `, ${count(call.prompt_tokens)} tokens read (${count(call.cached_tokens ?? 0)} cached)`}
          {isNumber(call.completion_tokens) && `, ${count(call.completion_tokens)} written`}
          {isNumber(call.latency_s) && call.latency_s > 0 && `, ${seconds(call.latency_s)}`}
          {isNumber(call.cost) && call.cost > 0 && `, cost ${money(call.cost)}`}
        </span>
      </summary>
      <h3>Prompt <span class="note"><mark>new since the decision before</mark></span></h3>
      <Prompt messages={call.messages} />
      <h3>Answer</h3>
      <AnswerOf answer={call.answer} />
    </details>
  );
}

function Prompt({ messages }: { messages: Call["messages"] }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // What is new stands at the end of most prompts: it is what one looks for.
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [messages]);
  return (
    <div ref={box} class="prompt" tabIndex={0} role="region" aria-label="Prompt">
      {messages.map((message, i) => (
        <div key={i} class={`message ${["system", "user", "assistant"].includes(message.role) ? message.role : "plain"}`}>
          {message.role && <span class="who"><Words said={message.role} /></span>}
          <pre>{message.pieces.map((piece, k) => (piece.new ? <mark key={k}><Line said={piece.text} /></mark> : <Line key={k} said={piece.text} />))}</pre>
        </div>
      ))}
    </div>
  );
}

function Line({ said }: { said: string }) {
  return (
    <bdi dir="auto">
      {text(said)}
      {"\n"}
    </bdi>
  );
}

function AnswerOf({ answer }: { answer: Call["answer"] }) {
  const logprobs = answer.logprobs ?? [];
  const best = Math.max(...logprobs.map((one) => one.logprob));
  return (
    <div class="answer">
      {answer.reasoning && <details class="reasoning" open><summary>Reasoning</summary><pre><Words said={answer.reasoning} /></pre></details>}
      {answer.text !== undefined && <pre class="said"><Words said={answer.text || "(nothing)"} /></pre>}
      {logprobs.length > 0 && (
        <table class="logprobs">
          <thead><tr><th>said</th><th class="number">log-probability</th><th /></tr></thead>
          <tbody>
            {logprobs.map((one, i) => (
              <tr key={i}>
                <td>{one.tokens ? <Tokens tokens={one.tokens} each={one.each ?? []} /> : <code><Words said={one.said} /></code>}</td>
                <td class="number">{num(one.logprob)}</td>
                <td><span class="track" aria-hidden="true"><i class="fill" style={{ width: `${(100 * Math.exp(one.logprob - best)).toFixed(1)}%` }} /></span></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <details><summary>As it came</summary><pre tabIndex={0}><Words said={answer.raw} /></pre></details>
    </div>
  );
}

function Tokens({ tokens, each }: { tokens: unknown[]; each: number[] }) {
  return (
    <code class="tokens">
      {tokens.map((token, i) => <span key={i} title={`${num(each[i])} nats`}><Words said={token} /></span>)}
    </code>
  );
}

/** The transcript that a model in the process read, made again from the log. */
function Remade({ id, run, episode, step }: { id: string; run: number; episode: number; step: number }) {
  const [wanted, want] = useState(false);
  const { data, error } = useAnswer<{ left_out: number; messages: Call["messages"] } | Refused>(wanted ? "prompt" : null, { id, run, episode, step });
  return (
    <Panel title="Prompt" note="the transcript, made again from the log">
      {!wanted && <button type="button" onClick={() => want(true)}>Show what the model read</button>}
      <Problem said={error} />
      {wanted && !data && !error && <Waiting what="Hearing the log again ..." />}
      {data && "refused" in data && <Problem said={data.refused} mild />}
      {data && "messages" in data && (
        <>
          {data.left_out > 0 && <p class="note">{count(data.left_out)} earlier episodes are not in it.</p>}
          <Prompt messages={data.messages} />
        </>
      )}
    </Panel>
  );
}
