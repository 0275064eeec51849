/** Another parser of JavaScript, on the text of a third program: this one. */
import { parse } from "meriyah";

const source = `import def, { a as b } from "m"; const { x: [y = 1, ...z], ...w } = f(\`t\${y}\`, tag\`\\u{61}\`);
  async function* g(a = b, ...c) { try { yield* a?.b?.[c] ?? (d ||= 1n); } catch { for await (const e of f) continue; } finally { return void 0; } }
  class A extends (class {}) { static #p = 1; static { this.#p++; } get [k]() { return super.m(); } static async *m() {} }
  if (a) ; else do { switch (b) { case 1: default: break; } } while (!/[/\\]]+(?<n>x)/u.test(c)); export { b as c };`;
const kinds = new Map<string, number>();
const text = JSON.stringify(
  parse(source, { module: true, next: true, ranges: true, loc: true }),
  (key, value) => {
    if (key === "type") kinds.set(value, (kinds.get(value) ?? 0) + 1);
    return typeof value === "bigint" ? String(value) : value;
  },
);
export default `${text.length} ${JSON.stringify([...kinds])}`;
