// Curves with bands, on uPlot: hovered, zoomed, switched on and off.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { isNumber, num, tick } from "./format";
import { colour, SERIES, useDark } from "./theme";
import type { Num } from "./types";
import { Words } from "./ui";

export interface Line {
  id: string;
  label: string;
  x: number[];
  mean: Num[];
  half: Num[];
  total?: string;
}

interface Props {
  lines: Line[];
  x: string;
  y: string;
  height?: number;
  zero?: boolean; // the y axis begins at 0
  level?: number | null; // a dotted line across
  zoomed?: (range: [number, number] | null) => void;
  legend?: boolean;
}

/** All curves on one axis: every x that any has, null where a curve has none. */
function joined(lines: Line[]): { x: number[]; columns: Num[][] } {
  const x = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const at = new Map(x.map((value, i) => [value, i]));
  const columns: Num[][] = [];
  for (const line of lines) {
    const [low, mean, high] = [0, 1, 2].map(() => new Array<Num>(x.length).fill(null)) as [Num[], Num[], Num[]];
    line.x.forEach((value, i) => {
      const [where, m, h] = [at.get(value) as number, line.mean[i], line.half[i]];
      if (!isNumber(m)) return;
      mean[where] = m;
      low[where] = m - (isNumber(h) ? h : 0);
      high[where] = m + (isNumber(h) ? h : 0);
    });
    columns.push(mean, low, high);
  }
  return { x, columns };
}

export function Chart({ lines, x, y, height = 320, zero = false, level = null, zoomed, legend = true }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [off, setOff] = useState<Set<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const [zoom, setZoom] = useState(false);
  const dark = useDark();
  const data = joined(lines);
  const drawn = [data.x, ...data.columns] as uPlot.AlignedData;
  const shape = JSON.stringify([lines.map((line) => line.id), x, y, height, dark, zero, level]);

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const ink = colour("--ink-2");
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { ...grid, size: 4 }, font: "12px system-ui, sans-serif" };
    const series: uPlot.Series[] = [{}];
    const bands: uPlot.Band[] = [];
    lines.forEach((_, i) => {
      const stroke = colour(`--series-${i % SERIES}`);
      const dash = i >= SERIES ? [6, 4] : [];
      const k = 1 + 3 * i;
      series.push({ stroke, width: 2, dash, spanGaps: true, points: { show: false } }, edge(), edge());
      bands.push({ series: [k + 2, k + 1], fill: `color-mix(in srgb, ${stroke} 17%, transparent)` });
    });
    const options: uPlot.Options = {
      width: Math.max(200, host.clientWidth),
      height,
      series,
      bands,
      legend: { show: false },
      cursor: { drag: { x: true, y: false, uni: 20 }, points: { size: 7 }, focus: { prox: 24 } },
      scales: { x: { time: false }, y: { range: (_u, low, high) => padded(low, high, zero, level) } },
      axes: [
        { ...axis, label: x, labelSize: 20, size: 28, labelFont: "12px system-ui, sans-serif", values: (_u, ticks) => ticks.map((t) => (Number.isInteger(t) ? t.toLocaleString("en") : "")) },
        { ...axis, label: y, labelSize: 22, size: 58, labelFont: "12px system-ui, sans-serif", values: (_u, ticks) => ticks.map(tick) },
      ],
      hooks: {
        setCursor: [(u) => setAt(u.cursor.idx ?? null)],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return;
            const range: [number, number] = [Math.floor(u.posToVal(u.select.left, "x")), Math.ceil(u.posToVal(u.select.left + u.select.width, "x"))];
            setZoom(true);
            zoomed?.(range);
          },
        ],
        draw: level === null ? [] : [(u) => dotted(u, level)],
      },
    };
    plot.current = new uPlot(options, drawn, host);
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(200, host.clientWidth), height }));
    watch.observe(host);
    return () => {
      watch.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    const u = plot.current;
    if (!u || u.data === drawn) return;
    u.setData(drawn, !zoom || Boolean(zoomed));
  }, [JSON.stringify([data.x.length, data.x[0], data.x.at(-1), lines.map((line) => line.mean.at(-1))]), shape]);

  useEffect(() => {
    lines.forEach((line, i) => {
      for (const k of [1, 2, 3]) plot.current?.setSeries(3 * i + k, { show: !off.has(line.id) });
    });
  }, [off, shape]);

  const whole = () => {
    setZoom(false);
    zoomed?.(null);
    plot.current?.setData(plot.current.data, true);
  };
  const keyed = (event: KeyboardEvent) => {
    const u = plot.current;
    if (!u || !data.x.length) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -1e9, End: 1e9 }[event.key];
    if (event.key === "Escape" && zoom) return whole();
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.min(data.x.length - 1, Math.max(0, (u.cursor.idx ?? 0) + step));
    u.setCursor({ left: u.valToPos(data.x[next] as number, "x"), top: 10 });
    setAt(next);
  };
  const toggle = (id: string) => {
    const next = new Set(off);
    if (!next.delete(id)) next.add(id);
    setOff(next);
  };
  const said = at === null ? null : data.x[at];
  return (
    <div class="chart">
      <div
        ref={box}
        class="plot"
        tabIndex={0}
        role="application"
        aria-label={`Chart of ${y} by ${x}. Arrow keys read values, Escape shows everything after a zoom.`}
        onKeyDown={keyed}
        onDblClick={whole}
      />
      {zoom && <button type="button" class="reset" onClick={whole}>Show everything</button>}
      {legend && (
        <div class="legend">
          <span class="where" aria-live="polite">{isNumber(said) ? `${x} ${said.toLocaleString("en")}` : "drag to zoom, hover to read"}</span>
          <ul>
            {lines.map((line, i) => {
              const value = at === null ? null : data.columns[3 * i]?.[at];
              const high = at === null ? null : data.columns[3 * i + 2]?.[at];
              const half = isNumber(value) && isNumber(high) ? high - value : null;
              return (
                <li key={line.id} class={off.has(line.id) ? "off" : ""}>
                  <label>
                    <input type="checkbox" checked={!off.has(line.id)} onChange={() => toggle(line.id)} />
                    <i class={`swatch s${i % SERIES} ${i >= SERIES ? "dashed" : ""}`} />
                    <span class="label"><Words said={line.label} /></span>
                  </label>
                  <span class="value">{isNumber(value) ? `${num(value)}${half ? ` ± ${num(half, 2)}` : ""}` : (line.total ?? "")}</span>
                </li>
              );
            })}
          </ul>
        </div>
      )}
    </div>
  );
}

function edge(): uPlot.Series {
  return { stroke: "transparent", width: 0, spanGaps: true, points: { show: false } };
}

function padded(low: number | null, high: number | null, zero: boolean, level: number | null): [number, number] {
  let bottom = low ?? 0;
  let top = high ?? 1;
  if (level !== null) [bottom, top] = [Math.min(bottom, level), Math.max(top, level)];
  const room = 0.06 * (top - bottom || Math.abs(top) || 1);
  if (bottom >= 0 && (zero || bottom < 0.4 * top)) return [0, top + room];
  return [bottom - room, top + room];
}

function dotted(u: uPlot, level: number): void {
  const { ctx, bbox } = u;
  const y = u.valToPos(level, "y", true);
  ctx.save();
  ctx.strokeStyle = colour("--ink-2");
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
