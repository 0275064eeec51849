// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is generated are templates
/**
 * The language, by multiplication: every kind of place × every kind of expression × whether it gives a value or throws. All these
 * small programs are stopped at every call and every third step, each time to go on in another instance; they must say what
 * they say undisturbed, and what they say in Node.
 */
import { expect, test } from "vitest";
import { disturbed, undisturbed } from "./torture.kit.ts";

/** What an expression can be. `w(x)` gives x, after a stop. */
const EXPRESSIONS = [
  "w(1) + w(2) * w(3)",
  "`${w('a')}-${[w(1), w(2)]}`",
  "[w(1), ...w([2, 3]), , w(4)].length",
  "({ a: w(1), [w('b')]: 2, get c() { return w(3); }, ...w({ d: 4 }) }).c",
  "((a, { b = w(2) } = {}, ...[c]) => w([a, b, c]))(w(1), undefined, w(3)).join()",
  "w({ f(x) { return w(x) + this.y; }, y: 5 }).f(w(6))",
  "w(null)?.[w('never')] ?? w('nullish')",
  "(w(0) || w('') || w('or')) && w('and')",
  "w(true) ? w('yes') : w('no')",
  "(w(1), w(2), w('comma'))",
  "typeof w(undefined) + void w(0) + delete w({ x: 1 }).x",
  "w('x') in { x: w(1) }",
  "w([]) instanceof w(Array)",
  "((x) => { x[w('n')] += w(2); x.n **= w(3); x.m ??= w('m'); x.m &&= w('k'); return x.n + x.m; })({ n: w(1) })",
  "((x) => { const before = x.n++ + ++x.n; return before + w(x.n--); })({ get n() { return w(this.v); }, set n(v) { this.v = w(v); }, v: 4 })",
  "((s, ...v) => s.raw.join('|') + v)`a${w(1)}\\n${w(2)}`",
  "new (class A { #p = w(1); static s = w(2); get p() { return this.#p + A.s; } })().p",
  "new (class B extends w(Map) { constructor() { super(w([[1, 2]])); } get(k) { return w(super.get(k)) * 2; } })().get(1)",
  "[...(function* () { const x = yield w(1); yield* [w(2), x]; })()].join()",
  "(([a = w(1), [b] = [w(2)], ...c]) => [a, b, c])(w([undefined, undefined, 3])).join()",
  "(({ x: { y = w(1) } = {}, ...rest }) => w(y) + Object.keys(rest).join())({ z: 1, q: 2 })",
  "[3, 1, 2].sort((a, b) => w(a - b)).map((x) => w(x * 2)).reduce((a, b) => w(a + b))",
  "JSON.stringify({ a: { toJSON: () => w('j') }, b: [w(1)] }, (k, v) => w(v))",
  "JSON.parse('[1,{\"a\":2}]', (k, v) => w(typeof v === 'number' ? v + 1 : v))[1].a",
  "'a1b22'.replace(/\\d+/g, (d) => w(d.length)) + 'x'.replaceAll('x', () => w('y'))",
  "Array.from({ length: 3 }, (_, i) => w(i)).flatMap((x) => w([x, x])).join('')",
  "+{ valueOf: () => w(7) } + `${{ toString: () => w('s') }}`",
  "new Proxy({ k: 1 }, { get: (t, k) => w(Reflect.get(t, k)) + 1, has: () => w(false) }).k",
  "String(10n ** BigInt(w(20)) % w(97n))",
  "(0.1 + w(0.2)).toFixed(w(3)) + (w(255)).toString(w(16)) + (w(-7) % 3) + (w(1) / -0) + (w(NaN) ** 0)",
  "[...new Set([w(1), w(1), w(2)])].length + new Map([[w('k'), w('v')]]).get('k')",
  "new Uint8Array([w(257), w(2)]).map((x) => w(x + 1)).join()",
  "Object.entries({ a: w(1), b: w(2) }).map(([k, v]) => k + w(v)).join()",
  "((...a) => a.length)(...w('spread'), ...new Set([w(1)]))",
  "(function f(n) { return n ? w(f(n - 1)) + 1 : w(0); })(4)",
  "(() => { l: for (const i of [1, 2, 3]) for (const j in { a: 1, b: 2 }) { if (w(i) === 2) continue l; if (w(j) === 'b' && i === 3) break l; } return w('left'); })()",
  "(() => { try { try { throw w('t'); } finally { w('f'); } } catch ({ length }) { return w(length); } finally { w(0); } })()",
  "(() => { switch (w(2)) { case w(1): return 1; case w(2): w('fell'); default: return w('d'); } })()",
  "(() => { let s = w(0); do s += w(1); while (w(s) < 3); for (let i = w(0); i < w(2); i += w(1)) s += i; return s; })()",
  "/(?<y>\\d+)-(?=x)/u.exec(w('12-x')).groups.y + w('aXbX').split(/x/i)",
] as const;

/** Where it can stand: `X`. What comes of it is said with `out`. */
const PLACES: Record<string, string> = {
  "an arrow function": `out((() => X)());`,
  "a function with arguments": `out((function () { return [arguments.length, X]; })(1, 2));`,
  "a default parameter": `out(((a = X, b = () => a) => b())());`,
  "a pattern": `const { a = X, ...r } = { b: 1 }; out(a, r); const [c = X] = []; out(c);`,
  "a computed key": `out(Object.keys({ [X]: 1 }));`,
  "an argument": `out(Math.max.call(null, 1).toString() + String(X), [0].concat(X).length);`,
  "a template": "out(`${X} and ${X}`);",
  "a constructor": `out(new (class { constructor() { this.x = X; } })().x);`,
  "a derived constructor": `out(new (class extends (class { constructor(x) { this.x = x; } }) { constructor() { super(X); } })().x);`,
  "fields and static blocks": `class A { f = X; static s = X; static t; static { A.t = X; } } out(new A().f, A.s, A.t);`,
  "a getter and a setter": `const o = { get x() { return X; }, set x(v) { out("set", X); } }; out(o.x); o.x = 1;`,
  "a private method": `class A { #m() { return X; } static m(a) { return a.#m(); } } out(A.m(new A()));`,
  "a generator": `function* g() { const got = yield X; out("got", got); return X; } const i = g(); out(i.next(), i.next("sent"), i.next());`,
  "a delegating generator": `function* g() { yield X; } function* h() { try { yield* g(); } finally { out("closed"); } } for (const x of h()) { out(x); break; }`,
  "an iterator's methods": `const it = { [Symbol.iterator]: () => ({ n: 0, next() { return { done: this.n++ > 0, value: X }; }, return() { out("return"); return {}; } }) }; const [a] = it; out(a); out(Array.from(it));`,
  "an async function": `const f = async () => { await null; return X; }; out(await f(), await Promise.all([f(), X]));`,
  "an async generator": `async function* g() { try { yield X; yield await X; } finally { out("finally"); } } for await (const x of g()) out(x);`,
  "a job": `await Promise.resolve().then(() => { out(X); }).finally(() => out("settled"));`,
  "a thenable": `out(await { then(ok, no) { try { ok(X); } catch (e) { no(e); } } });`,
  "try, catch and finally": `try { out(X); throw new Error("thrown"); } catch (e) { out(e.message, X); } finally { out("finally"); }`,
  "a finally that goes on": `const f = () => { for (;;) { try { return X; } finally { out("finally"); break; } } return "broken"; }; out(f());`,
  "a loop": `for (let i = 0; i < 2; i++) { const x = X; out(i, x); if (i) break; }`,
  "a loop's closures": `const fs = []; for (let i = 0; i < 2; i++) fs.push(() => [i, X]); out(fs.map((f) => f()));`,
  "a switch": `switch (String(X)) { case String(X): out("same"); break; default: out("other"); }`,
  conversions: `const o = { valueOf() { out("valueOf"); return 1; }, toString() { return String(X); } }; out(\`\${o}\`, o + 1, [o] + "", o < 2);`,
  "callbacks of builtins": `out([2, 1].sort((a, b) => (out(X), a - b)), [0].map(() => X), "a".replace("a", () => X), Array.from([0], () => X));`,
  "JSON's callbacks": `out(JSON.stringify({ toJSON: () => X }), JSON.parse("[1]", (k, v) => (k === "0" ? X : v)));`,
  "a proxy's traps": `const p = new Proxy({}, { get: () => X, has: () => (out(X), true), ownKeys: () => (out(X), ["k"]), getOwnPropertyDescriptor: () => ({ value: X, configurable: true, enumerable: true }) }); out(p.a, "a" in p, { ...p });`,
  "Reflect, call, apply, bind": `function f(a) { return [this?.t, a, X]; } out(Reflect.apply(f, { t: 1 }, [2]), f.call({ t: 3 }, 4), f.bind({ t: 5 }, 6)(), Reflect.construct(function () { this.x = X; }, []).x);`,
  "a tag": "out(((s, x) => [s.length, x])`a${X}b`);",
  eval: `out(eval(${"`X_TEXT`"}), (0, eval)("w")(X));`,
  "a deep recursion": `const f = (n) => (n ? f(n - 1) : X); out(f(60));`,
};

const HOW = { "gives a value": "X", throws: "boom(X)" };

type Out = (...values: unknown[]) => void;
const PRELUDE = `const boom = (x) => { throw new RangeError("boom " + JSON.stringify(x)); };`;

/** All programs of a place, one after the other, as the body of an async function of `w` and `out`. */
function programs(place: string): string {
  const each = Object.values(HOW).flatMap((how) =>
    EXPRESSIONS.map((expression) => {
      const x = how.replace("X", () => expression);
      const text = `(${x})`.replace(/[\\`$]/g, "\\$&");
      const body = place.replaceAll("X_TEXT", () => text).replace(/\bX\b/g, () => `(${x})`);
      return `try { ${body} } catch (e) { out("caught", e.name, e.message); }`;
    }),
  );
  return [PRELUDE, ...each].join("\n");
}

async function inNode(body: string): Promise<string[]> {
  const said: string[] = [];
  const out: Out = (...values) => said.push(JSON.stringify(values));
  const AsyncFunction = (async () => {}).constructor as new (
    ...of: string[]
  ) => (w: unknown, out: Out) => Promise<void>;
  globalThis.w = (x: unknown) => x;
  await new AsyncFunction("w", "out", `"use strict";\n${body}`)(globalThis.w, out);
  return said;
}
declare global {
  var w: unknown;
}

test.each(Object.entries(PLACES))("%s", async (_, place) => {
  const body = programs(place);
  const guest = `const w = (globalThis.w = (x) => { ask("w"); return x; }); const out = (...values) => print(JSON.stringify(values));\n${body}`;
  const calm = await undisturbed(guest);
  expect(calm).toMatchObject({ end: "exit", output: await inNode(body) });
  expect(calm.output.length).toBeGreaterThanOrEqual(2 * EXPRESSIONS.length);
  const wild = await disturbed(guest, 3);
  expect(wild).toMatchObject({ end: "exit", output: calm.output });
});
