/**
 * Writes docs/library.md: every name of `import … from "roost"` as the compiler declares it, with what its docstring says.
 * `--check` writes nothing, and fails if the page is not up to date.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const LINES_MAX = 60;
const PAGE = join(ROOT, "docs/library.md");

const types = mkdtempSync(join(tmpdir(), "roost-types-"));
const page = (() => {
  try {
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", join(ROOT, "fabric/tsconfig.types.json"), "--outDir", types]);
    return written(exportsOf(join(types, "edge/index.d.ts")), exportsOf(join(types, "tab/index.d.ts")));
  } finally {
    rmSync(types, { recursive: true });
  }
})();
if (!process.argv.includes("--check")) writeFileSync(PAGE, page);
else if (readFileSync(PAGE, "utf8") !== page) {
  console.error("docs/library.md is not up to date: npm run docs");
  process.exit(1);
}

function written(node, tab) {
  const byName = (a, b) => a[0].localeCompare(b[0], "en");
  const sameIn =
    (other) =>
    ([name, { text }]) =>
      other.get(name)?.text === text;
  const own = [...node].filter((entry) => !sameIn(tab)(entry));
  const inTab = [...tab].filter((entry) => !sameIn(node)(entry));
  const common = [...node].filter(sameIn(tab));
  const isFirst = ([, { file }]) => file.endsWith("library.d.ts");
  const first = common.filter(isFirst);
  const others = common.filter((entry) => !isFirst(entry)).toSorted(byName);
  const links = (entries) => entries.map(([name]) => `[${name}](#${name.toLowerCase()})`).join(" · ");
  const section = (title, entries) => [
    `## ${title}`,
    ...entries.map(([name, declared]) => `### ${name}\n\n${shown(declared)}`),
  ];
  const page = [
    "# The library",
    `Every name of \`import … from "roost"\`, outside of jobs, as it is declared. README.md has the example to begin with; what
a job imports is in [\`fabric/guest/roost.d.ts\`](../fabric/guest/roost.d.ts). This page is made of the sources, by \`npm run docs\`.`,
    ...[own, first, others].map(links),
    ...section("In Node", own),
    "## In a page",
    inTab.map(([, declared]) => shown(declared)).join("\n\n"),
    ...section("Jobs, launched and watched", first),
    ...section("What they speak of", others),
  ];
  return `${page.join("\n\n")}\n`;
}

/** A long table is better read where it is written. */
function shown({ text, file }) {
  if (text.split("\n").length <= LINES_MAX) return `\`\`\`ts\n${text}\n\`\`\``;
  const source = `fabric/${relative(types, file).replaceAll("\\", "/").replace(".d.ts", ".ts")}`;
  return `See [\`${source}\`](../${source}).`;
}

/** By name: the declaration of everything that a module exports, and where it is. */
function exportsOf(file) {
  const found = new Map();
  const declarations = declarationsOf(file);
  const take = (name, from) => {
    const text = declarationsOf(from).get(name);
    if (text === undefined) throw new Error(`${from} does not declare ${name}`);
    found.set(name, { text, file: from });
  };
  for (const name of declarations.keys()) take(name, file);
  const text = readFileSync(file, "utf8");
  for (const [, names, from] of text.matchAll(/^export (?:type )?(\*|\{[^}]*\}) from "(.*)";/gm)) {
    const module = join(dirname(file), from.replace(/\.ts$/, ".d.ts"));
    if (names === "*") for (const [name, declared] of exportsOf(module)) found.set(name, declared);
    else for (const name of names.match(/\w+(?=\s*[,}])/g)) take(name, module);
  }
  return found;
}

/** What a module declares and exports itself: at the margin each begins, and at the margin it ends. */
function declarationsOf(file) {
  const found = new Map();
  let lines = [];
  for (const line of readFileSync(file, "utf8").split("\n")) {
    lines.push(line);
    const isType = lines.some((one) => /^export (declare )?type /.test(one));
    if (isType ? !/^\S.*;$/.test(line) : !/^(\}|[^ ].*(;|\{\}))$/.test(line)) continue;
    const start = lines.findIndex((one) => one.startsWith("export "));
    const name = /^export (?:declare )?(?:const|class|function|interface|type) (\w+)/.exec(
      lines[start] ?? "",
    )?.[1];
    const whole = lines
      .filter((one) => !/^\s+(#private|private constructor\(\));$/.test(one))
      .map(withTwoSpaces);
    if (name)
      found.set(
        name,
        whole
          .join("\n")
          .replace(/^export (declare )?/m, "")
          .replaceAll(/import\("[^"]*"\)\./g, ""),
      );
    lines = [];
  }
  return found;
}

function withTwoSpaces(line) {
  const indent = /^ */.exec(line)?.[0].length ?? 0;
  return " ".repeat(Math.floor(indent / 4) * 2 + (indent % 4)) + line.slice(indent);
}
