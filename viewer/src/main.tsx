// The shell: where we are, what is open, light or dark, and whether the page is live.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import { isReport, readRecorded } from "./api";
import { CardsView } from "./cards";
import { CompareView } from "./compare";
import { EpisodeView } from "./episode";
import { ExperimentsView, ExperimentView } from "./experiments";
import { listen, useLive } from "./live";
import { href, type Route, useRoute } from "./route";
import { RunView } from "./run";
import { RunsView } from "./runs";
import "./style.css";
import { beginTheme, ThemeButton } from "./theme";
import { Guarded, Problem, Words } from "./ui";

const LINKS = { live: "live", connecting: "connecting", lost: "not connected", file: "a report" };

function App() {
  const route = useRoute();
  const live = useLive();
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const place = route.path.slice(0, 4).join("/");
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) window.scrollTo(0, 0);
    first.current = false;
  }, [place]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key === "?" && !/^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName)) setHelp((open) => !open);
      if (event.key === "Escape") setHelp(false);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
  const at = route.path[0] ?? "runs";
  const skip = (event: Event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>To the content</a>
      <header class="top">
        <a class="logo" href={href([])} aria-label="Parley, all runs">
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M5 7h22v15H16l-7 6v-6H5z" /><path class="in" d="M10 13h12M10 17h7" /></svg>
          Parley
        </a>
        <nav aria-label="Main">
          <a href={href([])} aria-current={at === "runs" || at === "run" || at === "compare" ? "page" : undefined}>Runs</a>
          {!isReport() && <a href={href(["experiments"])} aria-current={at.startsWith("experiment") ? "page" : undefined}>Experiments</a>}
          {!isReport() && <a href={href(["cards"])} aria-current={at === "cards" ? "page" : undefined}>Cards</a>}
        </nav>
        <span class="directory"><Words said={live.directory} /></span>
        <span class={`link ${live.link}`} role="status"><i aria-hidden="true" />{LINKS[live.link]}</span>
        <button type="button" class="plain" aria-label="Keys" title="Keys (?)" onClick={() => setHelp(!help)}>?</button>
        <ThemeButton />
      </header>
      {help && <Keys close={() => setHelp(false)} />}
      <main id="main" ref={main} tabIndex={-1}>
        <Guarded key={route.path.slice(0, 2).join("/")} at={place}>
          <View route={route} />
        </Guarded>
      </main>
    </>
  );
}

function View({ route }: { route: Route }) {
  const [at, id, run, episode, step] = route.path;
  if (at === undefined) return <RunsView />;
  if (at === "compare") return <CompareView route={route} />;
  if (at === "experiments") return <ExperimentsView />;
  if (at === "cards") return <CardsView route={route} />;
  if (at === "experiment" && id !== undefined) return <ExperimentView key={id} id={id} />;
  if (at === "run" && id !== undefined) {
    const numbers = [run, episode, step].map((part) => (part !== undefined && /^\d{1,9}$/.test(part) ? Number(part) : null));
    if (numbers[0] !== null && numbers[0] !== undefined && numbers[1] !== null && numbers[1] !== undefined) {
      return <EpisodeView id={id} run={numbers[0]} episode={numbers[1]} step={numbers[2] ?? null} />;
    }
    return <RunView key={id} id={id} />;
  }
  return <Problem said="There is no such view." />;
}

const KEYS = [
  ["← →  or  k j", "step before, step after"],
  ["p n", "episode before, episode after"],
  ["P N", "run before, run after"],
  ["u", "up, from an episode to its run"],
  ["arrows, Enter", "in a heat map: move, open the episode"],
  ["+  Escape", "in a heat map: look closer, show all"],
  ["?", "these keys"],
] as const;

function Keys({ close }: { close: () => void }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <div class="keys" role="dialog" aria-label="Keys">
      <h2>Keys</h2>
      <dl>{KEYS.map(([keys, does]) => <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{does}</dd></div>)}</dl>
      <button ref={button} type="button" onClick={close}>Close</button>
    </div>
  );
}

beginTheme();
await readRecorded();
const host = document.getElementById("app");
if (host) render(<App />, host);
listen();
