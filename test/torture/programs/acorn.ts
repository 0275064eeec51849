/** A parser of JavaScript, on its own kind of text. */
import { parse } from "acorn";

const source = `"use strict"; class A extends B { #x = 1n; static async *m({ a = [1, ...b] }, ...c) { for await (const d of e?.f ?? g) yield* h\`t\${i ** 2}\`; } }
  export default (j) => ({ [j]: /re[g]ex/giu.test(j), get k() { return new.target; } }); label: while (true) { if (x) break label; else continue; }`;
let visited = 0;
const count: Record<string, number> = {};
const visit = (node: unknown): void => {
  if (Array.isArray(node)) node.forEach(visit);
  else if (node && typeof node === "object") {
    visited++;
    if ("type" in node) count[String(node.type)] = (count[String(node.type)] ?? 0) + 1;
    Object.values(node).forEach(visit);
  }
};
for (let i = 0; i < 8; i++) visit(parse(source, { ecmaVersion: 2024, sourceType: "module" }));
export default `${visited} ${JSON.stringify(count)}`;
