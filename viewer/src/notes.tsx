// The user's tags and note of a run, edited in place.
import { useEffect, useRef, useState } from "preact/hooks";
import { isReport } from "./api";
import { putNote } from "./live";
import type { Row } from "./types";
import { Problem, Words } from "./ui";

export function Tags({ row }: { row: Row }) {
  return row.tags.length ? (
    <span class="tags">
      {row.tags.map((tag) => (
        <span key={tag} class="tag">
          <Words said={tag} />
        </span>
      ))}
    </span>
  ) : null;
}

export function NoteEditor({ row }: { row: Row }) {
  const [tag, setTag] = useState("");
  const [note, setNote] = useState(row.note);
  const [error, setError] = useState("");
  const [kept, setKept] = useState("");
  const edited = useRef(false);
  const sent = useRef<{ note: string; tags: string[] } | null>(null); // and not answered yet: newer than the row
  const sending = useRef<Promise<string>>(Promise.resolve(""));
  useEffect(() => {
    if (!edited.current) setNote(row.note);
  }, [row.note]);
  if (isReport()) return null;
  const tags = () => sent.current?.tags ?? row.tags;
  const put = async (text: string, wanted: string[]) => {
    const mine = { note: text, tags: wanted };
    sent.current = mine;
    sending.current = sending.current.catch(() => "").then(() => putNote(row.id, text, wanted)); // in order
    const wrong = await sending.current;
    if (sent.current === mine) sent.current = null;
    setError(wrong);
    setKept(wrong ? "" : "kept");
    if (!wrong) edited.current = false;
  };
  const addTag = (event: Event) => {
    event.preventDefault();
    if (tag.trim()) void put(note, [...tags(), tag.trim()]);
    setTag("");
  };
  return (
    <div class="notes">
      <form class="tags" onSubmit={addTag}>
        {row.tags.map((one) => (
          <span key={one} class="tag">
            <Words said={one} />
            <button
              type="button"
              aria-label={`Remove the tag ${one}`}
              onClick={() => void put(note, tags().filter((other) => other !== one))}
            >
              ×
            </button>
          </span>
        ))}
        <input
          aria-label="Add a tag"
          placeholder="add a tag"
          maxLength={40}
          value={tag}
          onInput={(event) => setTag(event.currentTarget.value)}
          onBlur={addTag}
        />
      </form>
      <textarea
        aria-label="Note"
        placeholder="A note about this run"
        rows={Math.min(12, note.split("\n").length)}
        maxLength={4000}
        value={note}
        onInput={(event) => {
          edited.current = true;
          setKept("");
          setNote(event.currentTarget.value);
        }}
        onBlur={() => note !== row.note && void put(note, tags())}
      />
      <span class="kept" role="status">
        {kept}
      </span>
      <Problem said={error} />
    </div>
  );
}
