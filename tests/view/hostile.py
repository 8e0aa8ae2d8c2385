"""Texts that try to get out of where they are shown, and crafted directories that hold them in every field."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

PWN = "window.pwned.push(1)"
PAYLOADS = [
    f"<script>{PWN}</script>",
    f"</script><script>{PWN}</script>",
    f'"><script>{PWN}</script>',
    f"<img src=x onerror={PWN}>",
    f'<img src="http://evil.example/x.png" onload="{PWN}">',
    f"<svg onload={PWN}>",
    f"<svg><animate onbegin={PWN} attributeName=x dur=1s>",
    f"<iframe srcdoc='<script>parent.{PWN}</script>'></iframe>",
    f"<iframe src=javascript:{PWN}>",
    "<iframe src=http://evil.example></iframe>",
    f"<body onload={PWN}>",
    f"<details open ontoggle={PWN}>",
    f"<input autofocus onfocus={PWN}>",
    f"<video><source onerror={PWN}></video>",
    f"<math><mtext><table><mglyph><style><img src onerror={PWN}>",
    f"<style>@import 'http://evil.example/x.css'; * {{ background: url(javascript:{PWN}) }}</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>",
    "<base href=http://evil.example/>",
    f"<form action=javascript:{PWN}><button autofocus>go</button></form>",
    f"<a href=javascript:{PWN}>click</a>",
    f"javascript:{PWN}",
    f"data:text/html,<script>{PWN}</script>",
    "//evil.example/x",
    "http://evil.example/?q=",
    f"';{PWN};//",
    f'";{PWN};//',
    f"`${{{PWN}}}`",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    f"{{{{constructor.constructor('{PWN}')()}}}}",
    '{"__proto__": {"polluted": true}}',
    "__proto__",
    "constructor",
    "]]><!--<script>",
    f"--><script>{PWN}</script><!--",
    f"<!--#exec cmd='{PWN}'-->",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "\u202eevil si txet siht\u202c \u2066isolated\u2069 \u200f",
    "zero\u200bwidth\u200djoiner\u2060\ufeff\u00ad",
    "null\x00byte \x01\x02\x03 \x7f \x80\x9f",
    "line\nbreak\r\nand\ttab\x0b\x0c\u2028\u2029",
    "z" + "\u0336\u0351\u0489\u035f" * 200,
    "\ufdfd" * 40 + "𒐫" * 40,
    "مرحبا بالعالم עולם",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "W" * 5000,
    "wide words " * 500,
    "'; DROP TABLE episodes; --",
    "../../../etc/passwd",
    "$(touch pwned) `touch pwned` | touch pwned; %n%n%s {0.__class__}",
]
assert len(PAYLOADS) == 50
CALL = "run, episode, step, model, purpose, prompt_tokens, cached_tokens, completion_tokens, latency_s, attempts"
CALL += ", outcome, prompt, answer, key, cost"
TEXTS = "world", "planner", "explore", "latent", "instructions", "record", "memory"


def hostile_manifests(root: Path, real: Path) -> None:
    """One run directory a payload, named by it as far as a name can be, with it in every text of its manifest."""
    manifest = json.loads((real / "manifest.json").read_text())
    for k, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "|").replace("\x00", "0")[:60]
        out = root / f"manifests/{k}-{name}"
        shutil.copytree(real, out)
        config = {**manifest["config"], **dict.fromkeys(TEXTS, payload), payload: payload}
        crafted = {**manifest, "config": config, "latents": [payload + "\ud800"] * len(manifest["latents"])}
        crafted |= {"versions": {payload: payload}, "machine": {payload: payload}, "planner": {payload: [payload]}}
        crafted |= {"status": "failed" if k % 2 else "interrupted", "error": payload, payload: {payload: 1e999}}
        crafted["scores"] = {payload: 0.5}
        if k % 2:  # of a world without an optimum, whose scores are shown
            with closing(sqlite3.connect(out / "run.sqlite")) as db, db:
                db.execute("UPDATE episodes SET regret = NULL, expected_regret = NULL")
        crafted["totals"] = {"wall_s": payload if k % 3 else 1e308, "calls": {payload: payload}}
        (out / "manifest.json").write_text(json.dumps(crafted), encoding="utf-8")
        if k % 5 == 0:  # one that is refused, in a sentence that quotes it
            shutil.copytree(real, root / f"damaged/{k}")
            refused = json.dumps({**crafted, "machine": payload})
            (root / f"damaged/{k}/manifest.json").write_text(refused, encoding="utf-8")


def hostile_log(root: Path, real: Path) -> None:
    """One run of which episode k holds payload k in every text of its log."""
    out = root / "log"
    shutil.copytree(real, out)
    db = sqlite3.connect(out / "run.sqlite")
    for k, payload in enumerate(PAYLOADS):
        said, here = payload.encode(errors="replace").decode(), (k,)
        db.execute("UPDATE episodes SET instruction = ? WHERE episode = ?", (said, k))
        fields = ("observation", "subgoal", "next_observation", "proposal_source", "menu")
        db.execute(
            f"UPDATE steps SET {', '.join(f'{f} = ?' for f in fields)}, answers = proposal, proposal = NULL "
            "WHERE episode = ?",
            (*[said] * 4, f"menu{k}", k),
        )
        db.execute("INSERT INTO menus VALUES (?, ?)", (f"menu{k}", json.dumps([said, f"other {said}"])))
        db.execute("INSERT INTO low_level SELECT run, episode, step, 3, ? FROM steps WHERE episode = ?", (said, k))
        prompts = {
            f"text{k}": said,
            f"chat{k}": json.dumps([{"role": said, "content": said}, {"role": "user", "content": said}]),
            f"answer{k}": json.dumps(f"<think>{said}</think>{said}"),
            f"letters{k}": json.dumps([[said, -1.0], ["B", -2.0]]),
            f"echo{k}": json.dumps([1, [[[said], [-1.0]], [["b"], [-2.0]]]]),
        }
        db.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", prompts.items())
        for prompt, answer in ((f"text{k}", f"answer{k}"), (f"chat{k}", f"letters{k}"), (f"chat{k}", f"echo{k}")):
            row = (0, k, 1, said, f"propose by {said}", 9, 0, 1, 0.1, 1, said, prompt, answer, "key", 0.1)
            db.execute(f"INSERT INTO calls ({CALL}) VALUES ({', '.join('?' * len(row))})", row)
        assert db.execute("SELECT COUNT(*) FROM episodes WHERE episode = ?", here).fetchone()[0]
    db.commit()
    db.close()


def hostile_experiments(root: Path) -> None:
    """One experiment a payload, with the payload in every text of its finding."""
    for k, payload in enumerate(PAYLOADS):
        out = root / "experiments" / f"e{k}"
        out.mkdir(parents=True)
        cells = [{"world": payload, "planner": payload, "explore": payload, "runs": payload, "seed": [payload]}]
        finding = {"experiment": payload, "claim": payload, "verdict": payload, "quick": payload, "quantity": payload}
        finding |= {"estimate": 0.5, "interval": [0.1, payload], "cells": cells}
        finding["rows"] = [{payload: payload, "x": [payload]}, {"a": {payload: 1}}]
        (out / "finding.json").write_text(json.dumps(finding), encoding="utf-8")


def hostile_cards(root: Path) -> None:
    """One card a payload, with the payload in every text of it; those that are too long are refused."""
    (root / "cards").mkdir()
    numbers = dict.fromkeys(("value", "low", "high", "floor", "ceiling"), 0.5)
    numbers |= dict.fromkeys(("normalised", "normalised_low", "normalised_high"), None)
    for k, payload in enumerate(PAYLOADS):
        texts = dict.fromkeys(("name", "suite", "world", "measures", "unit", "decided"), payload)
        card = {"format": "parley-card/1", "planner": payload, "suites": [payload], "seed": k, "episodes": 12}
        card |= {"ended": payload, "spent": {payload: 1.0}, "versions": {payload: payload}}
        card["entries"] = [{**texts, **numbers, "num_runs": 4, "details": {payload: 1.0}}]
        card["findings"] = [{"fault": payload, "sentence": payload, "entry": payload}]
        card["left_out"] = {f"{payload} ": payload}
        (root / "cards" / f"c{k}.json").write_text(json.dumps(card), encoding="utf-8")
