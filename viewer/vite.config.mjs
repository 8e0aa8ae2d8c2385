// Builds the viewer into the Python package: three files of known names, and the hash of what they were made from.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { defineConfig } from "vite";

const out = "../src/parley/view/static";
const made_from = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.mjs", "src", "public"];

function files(path) {
  return statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => files(join(path, name))) : [path];
}

/** SHA-256 over the names and contents of files, in the order of their names; tests/view/test_build.py computes it too. */
function digest(paths, root) {
  const hash = createHash("sha256");
  const named = paths.map((path) => [relative(root, path).split(sep).join("/"), path]);
  for (const [name, path] of named.sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(name).update("\0").update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

function stamp() {
  return {
    name: "stamp",
    closeBundle() {
      const built = ["app.css", "app.js", "index.html", "licences.txt"].map((name) => join(out, name));
      const hashes = { sources: digest(made_from.flatMap(files), "."), built: digest(built, out) };
      writeFileSync(join(out, "build.json"), JSON.stringify(hashes, null, 1) + "\n");
    },
  };
}

export default defineConfig({
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "app[extname]", codeSplitting: false },
    },
  },
  plugins: [stamp()],
});
