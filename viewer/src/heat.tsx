// Runs x episodes as a heat map: hover to read, click or Enter to open an episode, drag or zoom keys to look closer.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, isHeld, isReport, useAnswer } from "./api";
import { isNumber, num, percent, text } from "./format";
import { go, href } from "./route";
import { colour, useDark } from "./theme";
import type { Episodes, Heat, Run } from "./types";
import { Choice, Problem, Select, Waiting, Words } from "./ui";

const LEFT = 44; // pixels for the numbers of runs
const BOTTOM = 22;
const COLUMNS = 600; // a report holds the answer for so many (src/parley/view/page.py)
const NAMES: Record<string, string> = {
  regret: "Regret",
  return: "Return",
  score: "Score",
  explored: "Explored",
  faults: "Faults",
  tokens: "Tokens",
  cost: "Cost",
};

interface Spot {
  row: number; // of the map
  column: number;
}

export function HeatMap({ run, version }: { run: Run; version: unknown }) {
  const [metric, setMetric] = useState("");
  const [order, setOrder] = useState<"run" | "latent" | "total">("run");
  const [range, setRange] = useState<[number, number] | null>(null);
  const shown = metric || run.names.metrics[0] || "return";
  const asked = { id: run.id, metric: shown, order, columns: COLUMNS, first: range?.[0], last: range?.[1] };
  const { data, error } = useAnswer<Heat>("heat", asked, version);
  const options = run.names.metrics.map((name) => [name, NAMES[name] ?? name] as const);
  return (
    <>
      <div class="tools">
        <Choice label="What the heat map shows" options={options} value={shown} pick={setMetric} />
        {!isReport() && <Select label="Rows by" options={[["run", "run"], ["latent", "latent"], ["total", "total"]]} value={order} pick={setOrder} />}
        {range && <button type="button" onClick={() => setRange(null)}>Show all episodes</button>}
      </div>
      <Problem said={error} />
      {!data && !error && <Waiting what="Reading the log ..." />}
      {data && data.metric === shown && !data.cells.length && <p class="empty">No episode is finished yet.</p>}
      {data && data.cells.length > 0 && <Canvas run={run} data={data} setRange={setRange} zoomed={range !== null} />}
    </>
  );
}

function Canvas({ run, data, setRange, zoomed }: { run: Run; data: Heat; setRange: (range: [number, number] | null) => void; zoomed: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(600);
  const [spot, setSpot] = useState<Spot | null>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const dark = useDark();
  const rows = data.cells.length;
  const columns = data.cells[0]?.length ?? 0;
  const tall = Math.max(3, Math.min(16, Math.floor(420 / rows)));
  const height = rows * tall + BOTTOM;
  const wide = Math.max(1, width - LEFT);

  useEffect(() => {
    const watch = new ResizeObserver((entries) => setWidth(Math.floor(entries[0]?.contentRect.width ?? 600)));
    if (host.current) watch.observe(host.current);
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !canvas.current) return;
    const scale = window.devicePixelRatio || 1;
    canvas.current.width = width * scale;
    canvas.current.height = height * scale;
    context.scale(scale, scale);
    context.clearRect(0, 0, width, height);
    const ramp = ramped(data.metric);
    const [low, high] = bounds(data);
    data.cells.forEach((cells, r) => {
      cells.forEach((value, c) => {
        if (!isNumber(value)) return;
        const [x, next] = [c, c + 1].map((k) => Math.round(LEFT + (wide * k) / columns)) as [number, number];
        context.fillStyle = ramp(high > low ? (value - low) / (high - low) : 0);
        context.fillRect(x, r * tall, Math.max(1, next - x), tall > 5 ? tall - 1 : tall);
      });
    });
    context.fillStyle = colour("--ink-2");
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    const every = Math.ceil(14 / tall);
    data.runs.forEach((number, r) => {
      if (r % every === 0) context.fillText(String(number), LEFT - 6, r * tall + Math.max(tall - 2, 9));
    });
    context.textAlign = "center";
    const shown = data.last - data.first + 1;
    const step = nice((shown * 70) / wide);
    for (let t = Math.ceil(data.first / step) * step; t <= data.last; t += step) {
      context.fillText(t.toLocaleString("en"), LEFT + (wide * (t - data.first + 0.5)) / (columns * data.size), height - 7);
    }
  }, [data, width, dark, height]);

  const at = (event: PointerEvent): Spot | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const column = Math.floor(((event.clientX - box.left - LEFT) / wide) * columns);
    const row = Math.floor((event.clientY - box.top) / tall);
    return column >= 0 && column < columns && row >= 0 && row < rows ? { row, column } : null;
  };
  const episodesAt = (column: number): [number, number] => {
    const first = data.first + column * data.size;
    return [first, Math.min(data.last, first + data.size - 1)];
  };
  const open = async (where: Spot) => {
    const number = data.runs[where.row];
    const value = data.cells[where.row]?.[where.column];
    if (number === undefined || !isNumber(value)) return;
    const [first, last] = episodesAt(where.column);
    if (first === last) return go(href(["run", run.id, number, first]));
    if (isReport()) {
      for (let t = first; t <= last; t++) if (isHeld("episode", { id: run.id, run: number, episode: t })) return go(href(["run", run.id, number, t]));
      return go(href(["run", run.id, number, first]));
    }
    const answer = await ask<Episodes>("episodes", { id: run.id, run: number, first, last, sort: "worst" }).catch(() => null);
    go(href(["run", run.id, number, answer?.episodes[0]?.episode ?? first]));
  };
  const keyed = (event: KeyboardEvent) => {
    const now = spot ?? { row: 0, column: 0 };
    const moves: Record<string, Spot> = {
      ArrowLeft: { row: now.row, column: now.column - 1 },
      ArrowRight: { row: now.row, column: now.column + 1 },
      ArrowUp: { row: now.row - 1, column: now.column },
      ArrowDown: { row: now.row + 1, column: now.column },
      Home: { row: now.row, column: 0 },
      End: { row: now.row, column: columns - 1 },
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      void open(now);
    } else if (event.key === "Escape" || event.key === "-") setRange(null);
    else if ((event.key === "+" || event.key === "=") && !isReport()) {
      const [middle] = episodesAt(now.column);
      const reach = Math.max(10, Math.floor((data.last - data.first) / 6));
      setRange([Math.max(0, middle - reach), middle + reach]);
    } else if (moves[event.key]) {
      event.preventDefault();
      const to = moves[event.key] as Spot;
      setSpot({ row: clamp(to.row, rows), column: clamp(to.column, columns) });
    }
  };
  const moved = (event: PointerEvent) => {
    const now = at(event);
    setSpot(now);
    if (drag && now && !isReport()) setDrag([drag[0], now.column]);
  };
  const released = (event: PointerEvent) => {
    const now = at(event);
    if (drag && now && !isReport() && Math.abs(now.column - drag[0]) > 2) {
      const [a, b] = [Math.min(drag[0], now.column), Math.max(drag[0], now.column)];
      setRange([episodesAt(a)[0], episodesAt(b)[1]]);
    } else if (now) void open(now);
    setDrag(null);
  };
  const box = (where: Spot) => ({ left: LEFT + (wide * where.column) / columns, top: where.row * tall, width: Math.max(3, wide / columns), height: tall });
  return (
    <div class="heat">
      <div
        ref={host}
        class="map"
        tabIndex={0}
        role="application"
        aria-label={`Heat map of ${data.metric}, ${rows} runs by ${data.episodes} episodes. Arrow keys move, Enter opens the episode, plus looks closer, Escape shows all.`}
        onKeyDown={keyed}
        onFocus={() => spot ?? setSpot({ row: 0, column: 0 })}
      >
        <canvas
          ref={canvas}
          style={{ width: `${width}px`, height: `${height}px` }}
          onPointerMove={moved}
          onPointerLeave={() => (setSpot(null), setDrag(null))}
          onPointerDown={(event) => setDrag(at(event) ? [at(event)!.column, at(event)!.column] : null)}
          onPointerUp={released}
        />
        {spot && <i class="spot" style={pixels(box(spot))} />}
        {drag && drag[0] !== drag[1] && (
          <i class="drag" style={pixels({ left: LEFT + (wide * Math.min(...drag)) / columns, top: 0, width: (wide * (Math.abs(drag[1] - drag[0]) + 1)) / columns, height: rows * tall })} />
        )}
      </div>
      <div class="under">
        <Ramp data={data} />
        <p class="readout" aria-live="polite">
          {spot ? <Readout run={run} data={data} spot={spot} range={episodesAt(spot.column)} /> : isReport() ? "episodes →, click to open one" : `episodes →, ${zoomed ? "zoomed in" : "drag to zoom"}, click to open one`}
        </p>
      </div>
    </div>
  );
}

function Readout({ run, data, spot, range }: { run: Run; data: Heat; spot: Spot; range: [number, number] }) {
  const number = data.runs[spot.row] ?? 0;
  const value = data.cells[spot.row]?.[spot.column];
  const [first, last] = range;
  return (
    <>
      run <b>{number}</b> (<Words said={run.latents[number]} />), {first === last ? <>episode <b>{first.toLocaleString("en")}</b></> : <>episodes {first.toLocaleString("en")} to {last.toLocaleString("en")}, mean</>}:{" "}
      <b>{isNumber(value) ? (data.metric === "explored" ? (data.size === 1 ? (value ? "explored" : "not explored") : percent(value)) : num(value)) : "not finished"}</b>
      {first !== last && isNumber(value) && " – click opens the worst of them"}
    </>
  );
}

function Ramp({ data }: { data: Heat }) {
  const [low, high] = bounds(data);
  const ramp = ramped(data.metric);
  return (
    <span class="ramp">
      {num(low)}
      <svg viewBox="0 0 32 1" preserveAspectRatio="none" aria-hidden="true">
        {Array.from({ length: 32 }, (_, i) => <rect key={i} x={i} width="1.05" height="1" fill={ramp(i / 31)} />)}
      </svg>
      {num(high)} <span class="quiet">{data.metric === "regret" ? text(data.names.measure) : data.metric}</span>
    </span>
  );
}

function bounds(data: Heat): [number, number] {
  const low = data.metric === "return" || data.metric === "score" ? (data.low ?? 0) : Math.min(0, data.low ?? 0);
  return [low, Math.max(data.high ?? 1, low + 1e-9)];
}

/** From nothing to much: a ramp of the style sheet, in three stops. */
function ramped(metric: string): (share: number) => string {
  const kind = metric === "return" || metric === "score" ? "good" : metric === "explored" ? "explored" : metric === "regret" || metric === "faults" ? "bad" : "much";
  const stops = [0, 1, 2].map((i) => rgb(colour(`--ramp-${kind}-${i}`)));
  return (share) => {
    const at = Math.min(1, Math.max(0, share)) ** 0.75 * 2;
    const [a, b] = at <= 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
    const mix = at <= 1 ? at : at - 1;
    return `rgb(${[0, 1, 2].map((i) => Math.round((a?.[i] ?? 0) * (1 - mix) + (b?.[i] ?? 0) * mix)).join(",")})`;
  };
}

function rgb(hex: string): [number, number, number] {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function pixels(box: { left: number; top: number; width: number; height: number }): Record<string, string> {
  return Object.fromEntries(Object.entries(box).map(([name, value]) => [name, `${value}px`]));
}

function clamp(value: number, size: number): number {
  return Math.min(size - 1, Math.max(0, value));
}

function nice(step: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(step, 1)));
  return ([1, 2, 5, 10].find((k) => k * size >= step) ?? 10) * size;
}
