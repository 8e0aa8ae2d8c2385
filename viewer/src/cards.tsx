// Cards of `parley bench` side by side: each entry with its interval, between the random planner and the exact one.
import { useMemo, useState } from "preact/hooks";
import { useAnswer } from "./api";
import { count, isNumber, num } from "./format";
import { go, href, type Route } from "./route";
import type { BenchCard, BenchCards, BenchLine } from "./types";
import { Panel, Problem, useTitle, Waiting, Words } from "./ui";

const FIRST = 4; // cards that are shown unless others are chosen

export function CardsView({ route }: { route: Route }) {
  useTitle("Cards");
  const [version, again] = useState(0);
  const { data, error } = useAnswer<BenchCards>("cards", {}, version);
  if (error) return <><h1>Cards</h1><Problem said={error} /></>;
  if (!data) return <Waiting what="Reading the cards ..." />;
  const asked = route.query.getAll("card");
  const known = data.cards.filter((card) => asked.includes(card.id));
  const shown = known.length ? known : data.cards.slice(0, FIRST);
  const pick = (id: string) => {
    const ids = shown.some((card) => card.id === id) ? shown.map((card) => card.id).filter((one) => one !== id) : [...shown.map((card) => card.id), id];
    go(`${href(["cards"])}?${new URLSearchParams(ids.map((one) => ["card", one]))}`, true);
  };
  return (
    <>
      <div class="page-head">
        <h1>Cards <small>{data.cards.length}</small></h1>
        <div class="tools"><button type="button" onClick={() => again(version + 1)}>Read again</button></div>
      </div>
      {data.refused.map((one) => <Problem key={one.id} said={one.sentence} mild />)}
      {!data.cards.length && <div class="empty"><p>There is no card here yet. Measure a planner:</p><pre>parley bench exact --suite bayes --out cards/exact</pre></div>}
      {data.cards.length > 1 && (
        <fieldset class="picked">
          <legend>Side by side{data.more > 0 ? ` (${data.more} older ones are left out)` : ""}</legend>
          {data.cards.map((card) => (
            <label key={card.id}><input type="checkbox" checked={shown.includes(card)} onChange={() => pick(card.id)} /> <Words said={card.id} /></label>
          ))}
        </fieldset>
      )}
      {shown.length > 0 && <Side cards={shown} />}
    </>
  );
}

/** Entries by suite; a row holds what every card says of it. */
function Side({ cards }: { cards: BenchCard[] }) {
  const suites = useMemo(() => rowsOf(cards), [cards]);
  const differ = new Set(cards.map((card) => card.episodes)).size > 1;
  return (
    <>
      {differ && <Problem said="These cards are of runs of different lengths: their values are not comparable." mild />}
      <Panel title="Planners" note="a share of the way is 0 for the random planner and 1 for the exact one">
        <div class="scroll" tabIndex={0} role="region" aria-label="Planners">
          <table class="bench">
            <thead><tr><th>card</th><th>planner</th><th>faults that are shown</th><th>spent</th></tr></thead>
            <tbody>{cards.map((card) => <Head key={card.id} card={card} />)}</tbody>
          </table>
        </div>
      </Panel>
      {suites.map(([suite, rows]) => (
        <Panel key={suite} title={<Words said={suite} />} note="95% intervals, valid at any sample size; dotted: the floor, thin: the ceiling">
          <div class="scroll" tabIndex={0} role="region" aria-label={`Entries of ${suite}`}>
            <table class="bench">
              <thead><tr><th>entry</th>{cards.map((card) => <th key={card.id}><Words said={card.id} /></th>)}</tr></thead>
              <tbody>{rows.map((name) => <Row key={name} name={name} cards={cards} />)}</tbody>
            </table>
          </div>
        </Panel>
      ))}
    </>
  );
}

function rowsOf(cards: BenchCard[]): [string, string[]][] {
  const found = new Map<string, Set<string>>();
  for (const card of cards) for (const line of card.entries) found.set(line.suite, (found.get(line.suite) ?? new Set()).add(line.name));
  for (const card of cards) {
    const others = Object.keys(card.left_out).filter((name) => ![...found.values()].some((names) => names.has(name)));
    if (others.length) found.set("not measured", new Set([...(found.get("not measured") ?? []), ...others]));
  }
  return [...found].map(([suite, names]) => [suite, [...names]]);
}

function Head({ card }: { card: BenchCard }) {
  const spent = Object.entries(card.spent).filter(([, value]) => value > 0).map(([name, value]) => `${name === "minutes" ? num(value) : count(value)} ${name.replaceAll("_", " ")}`);
  return (
    <tr>
      <td><Words said={card.id} /></td>
      <td><Words said={card.planner} /><p class="note">{`${card.episodes} episodes a run, seed ${card.seed}`}; <Words said={card.ended || "not ended"} /></p></td>
      <td>{card.findings.length ? card.findings.map((one) => <p key={one.entry}><b><Words said={one.fault} /></b>: <Words said={one.sentence} /> <span class="note"><Words said={one.entry} /></span></p>) : "none is shown"}</td>
      <td>{spent.join(", ") || "nothing"}</td>
    </tr>
  );
}

function Row({ name, cards }: { name: string; cards: BenchCard[] }) {
  const lines = cards.map((card) => card.entries.find((line) => line.name === name));
  const first = lines.find((line) => line !== undefined);
  const numbers = lines.flatMap((line) => (line ? [line.low, line.high, line.floor, line.ceiling] : [])).filter(isNumber);
  const range: [number, number] = [Math.min(...numbers), Math.max(...numbers)];
  return (
    <tr>
      <td class="entry"><Words said={name} />{first && <p class="note"><Words said={first.measures} />, in <Words said={first.unit} /></p>}</td>
      {cards.map((card, i) => <td key={card.id}><Cell line={lines[i]} why={card.left_out[name]} range={range} /></td>)}
    </tr>
  );
}

/** What a card knows of an entry, or that it does not. */
function Cell({ line, why, range }: { line: BenchLine | undefined; why: string | undefined; range: [number, number] }) {
  if (why !== undefined) return <span class="note">not measured: <Words said={why} /></span>;
  if (!line) return <span class="note">not asked</span>;
  const { value, low, high } = line;
  if (!isNumber(value) || !isNumber(low) || !isNumber(high)) return <span class="note">unknown: no run has ended</span>;
  const room = (range[1] - range[0] || 1) * 0.05;
  const at = (of: number) => (100 * (of - range[0] + room)) / (range[1] - range[0] + 2 * room);
  return (
    <>
      <svg class="between" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
        {isNumber(line.floor) && <line class="floor" x1={at(line.floor)} x2={at(line.floor)} y1="0" y2="12" />}
        {isNumber(line.ceiling) && <line class="ceiling" x1={at(line.ceiling)} x2={at(line.ceiling)} y1="0" y2="12" />}
        <line class="interval" x1={at(low)} x2={at(high)} y1="6" y2="6" />
        <line class="mean" x1={at(value)} x2={at(value)} y1="2" y2="10" />
      </svg>
      <span class="numbers"><b>{num(value)}</b> [{num(low)}, {num(high)}]</span>
      <p class="note">{sharesOf(line)}{line.decided ? <><br /><Words said={line.decided} /></> : "; not decided"}</p>
    </>
  );
}

function sharesOf(line: BenchLine): string {
  const runs = `${count(line.num_runs)} runs`;
  if (!isNumber(line.normalised)) return runs;
  return `${runs}; share of the way ${num(line.normalised)} [${num(line.normalised_low)}, ${num(line.normalised_high)}]`;
}
