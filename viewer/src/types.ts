// What the server answers (src/parley/view/answers.py). Runs may be a stranger's: a number may be null or a text.

export type Num = number | null;

export interface Spent {
  calls: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  cost: number;
  failed: number;
}

export interface Scores {
  mean: Num;
  half_width: Num;
  gain: Num; // the last quarter of the episodes less the first
  gain_half_width: Num;
  success: Num;
  episodes_to_success: Num;
  references: Record<string, Num>;
}

export interface Numbers {
  measure?: string;
  regret?: Num;
  regret_half_width?: Num;
  mean_return?: Num;
  explored?: Num;
  slope?: Num;
  slope_low?: Num;
  slope_high?: Num;
  score?: Num;
  score_half_width?: Num;
  scores?: Scores | null; // of worlds without an optimum
  faults?: Num;
  curve?: Num[];
  spent?: Spent;
}

export type Status = "running" | "finished" | "interrupted" | "failed" | "damaged";

export interface Row {
  id: string;
  status: Status;
  error: string;
  changed: number;
  world?: string;
  planner?: string;
  explore?: string;
  memory?: string | null;
  episodes?: Num;
  runs?: Num;
  seed?: Num;
  latent?: string | null;
  instructions?: string;
  record?: string;
  wall_s?: Num;
  numbers: Numbers | null;
  progress: { done: number; total: number; left_s: Num } | null;
  note: string;
  tags: string[];
}

export interface Runs {
  directory: string;
  runs: Row[];
  experiments: number;
  cut: boolean;
}

export type Metric = "regret" | "return" | "score" | "explored" | "faults" | "tokens" | "cost";

export interface Named {
  measure: string;
  first: Metric; // what is asked first of a run: regret, or where there is none the score, or the return
  metrics: string[];
}

export interface Film {
  run: number;
  episode: number;
  name: string;
}

export interface Run extends Row {
  manifest: Record<string, unknown>;
  latents: string[];
  names: Named;
  films: Film[];
}

export interface Heat {
  metric: string;
  runs: number[];
  episodes: number;
  first: number;
  last: number;
  size: number;
  cells: Num[][];
  low: Num;
  high: Num;
  names: Named;
}

export interface ListedEpisode {
  run: number;
  episode: number;
  instruction: string;
  explored: number;
  return: Num;
  optimal_value: Num;
  regret: Num;
  expected_regret: Num;
  wall_s: Num;
  score?: Num;
  faults: number;
  tokens?: Num;
  cost?: Num;
}

export interface Episodes {
  total: number;
  offset: number;
  page: number;
  episodes: ListedEpisode[];
  names: Named;
}

export interface First {
  event: string;
  found: [number, number, number | null][];
  none: number;
  searched: number;
}

export interface Bar {
  said: string;
  chosen: boolean;
  proposal?: number;
  answers?: number;
  law?: number;
}

export interface ActorBars {
  bars: Bar[];
  others: number;
  rest: Record<string, number>;
  off_menu: string | null;
}

export interface StepSpent {
  calls: number;
  failed: number;
  cached_calls: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  latency_s: number;
  cost: number;
}

export interface Step {
  step: number;
  observation: string;
  next_observation: string;
  reward: Num;
  explored: boolean;
  source: string | null;
  invalid: boolean;
  subgoal: string[];
  actors: ActorBars[];
  low_level?: { actions: Num; event: string | null };
  left_out?: Num;
  spent?: StepSpent;
}

export interface Episode {
  run: number;
  episode: number;
  instruction?: string;
  explored?: number;
  return?: Num;
  optimal_value?: Num;
  regret?: Num;
  expected_regret?: Num;
  wall_s?: Num;
  score?: Num;
  complete: boolean;
  latent: string;
  steps: Step[];
  cut: boolean;
  film: string | null;
}

export interface Beliefs {
  latents: { latent: string; true: boolean; prior: number; probability: number[] }[];
  others: number;
  rest: number[];
}

export interface Refused {
  refused: string;
}

export interface Call {
  model: string;
  purpose: string;
  outcome: string;
  attempts: Num;
  prompt_tokens: Num;
  cached_tokens: Num;
  completion_tokens: Num;
  latency_s: Num;
  cost: Num;
  messages: { role: string; pieces: { new: boolean; text: string }[] }[];
  answer: {
    raw: string;
    reasoning?: string;
    text?: string;
    logprobs?: { said: string; logprob: number; tokens?: unknown[]; each?: number[] }[];
  };
}

export interface Calls {
  calls: Call[];
}

export interface Tree {
  where: string;
  calls: number;
  subgoals: TreeSubgoal[];
}

export interface TreeSubgoal {
  said: string;
  visits: number;
  value: number;
  proposed: number;
  rest: number;
  heard: { said: string; probability: number; pays: number; subgoals: TreeSubgoal[] }[];
}

export interface Curve {
  runs: number;
  x: number[];
  mean: Num[];
  half: Num[];
  total: Num;
  total_half: Num;
}

export interface Compared {
  metric: string;
  way: string;
  base: string;
  curves: (Curve & { id: string; measure: string })[];
  differences: {
    id: string;
    paired: boolean;
    why: string;
    total: Num;
    half: Num;
    episodes: number;
    curve: Curve | null;
  }[];
}

export interface Diagnosis {
  signature: string;
  because: string;
  try_next: string;
  statistics: Record<string, number>;
  look_at: [number, number][];
  evidence: { quantity: string; curves: Record<string, Num[]>; limit: number };
}

export interface ListedExperiment {
  id: string;
  experiment: string | null;
  claim: string | null;
  quick: boolean | null;
  verdict: string | null;
  estimate: Num;
  interval: [Num, Num] | null;
  quantity: string | null;
  status: string;
  cells: { done: number; total: Num };
  changed: number;
}

export interface Cell {
  config: Record<string, unknown>;
  done: boolean;
  computing?: boolean;
  file: string | null;
}

export interface Experiment extends Omit<ListedExperiment, "cells"> {
  cells: Cell[];
  rows: Record<string, unknown>[];
  pictures: string[];
}

/** An entry of a card of `parley bench`. */
export interface BenchLine {
  name: string;
  suite: string;
  world: string;
  measures: string;
  unit: string;
  num_runs: number;
  value: Num;
  low: Num;
  high: Num;
  floor: Num;
  ceiling: Num;
  normalised: Num;
  normalised_low: Num;
  normalised_high: Num;
  decided: string;
}

export interface BenchCard {
  id: string;
  planner: string;
  seed: number;
  episodes: number;
  ended: string;
  spent: Record<string, number>;
  entries: BenchLine[];
  findings: { fault: string; sentence: string; entry: string }[];
  left_out: Record<string, string>;
}

export interface BenchCards {
  cards: BenchCard[];
  refused: { id: string; sentence: string }[];
  more: number;
}
