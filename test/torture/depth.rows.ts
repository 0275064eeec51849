/** Ways to recurse, and how deep each gets before the program is told that it is too deep. For any platform with WebAssembly. */
import { type BaseImage, Machine, type World } from "../../fabric/engine/index.ts";

/** Recurses for ever; `d` counts the levels. */
const CALLS: Record<string, string> = {
  "a function": `(function f() { d++; f(); })()`,
  "a function of many variables": `(function f(a, b, c) { let x = 1, y = 2, z = 3, u = 4, v = 5; d++; return f(a + x, b + y, c + z) + u + v; })(1, 2, 3)`,
  "a constructor": `(function F() { d++; new F(); })()`,
  "a derived class": `class A { constructor() { d++; new B(); } } class B extends A { constructor() { super(); } } new B()`,
  "a getter": `({ get x() { d++; return this.x; } }).x`,
  "a setter": `({ set x(v) { d++; this.x = v; } }).x = 1`,
  toString: `const o = { toString() { d++; return "" + o; } }; "" + o`,
  "Symbol.toPrimitive": `const o = { [Symbol.toPrimitive]() { d++; return o < 1; } }; o < 1`,
  "a trap": `new Proxy({}, { get: (t, k, r) => (d++, r[k]) }).x`,
  "Reflect.apply": `(function f() { d++; Reflect.apply(f, null, []); })()`,
  "apply and call": `(function f() { d++; d % 2 ? f.apply(null, []) : f.call(); })()`,
  "a bound function": `let g; const f = () => { d++; g(); }; g = f.bind(null); g()`,
  "yield*": `function* g() { d++; yield* g(); } [...g()]`,
  "a generator's next": `(function f() { d++; (function* () { f(); })().next(); })()`,
  "map, forEach, from": `(function f() { d++; d % 3 ? d % 2 ? [1].map(f) : [1].forEach(f) : Array.from([1], f); })()`,
  sort: `(function f() { d++; [2, 1].sort(f); })()`,
  "a typed array's sort": `(function f() { d++; new Uint8Array([2, 1]).sort(f); })()`,
  replace: `(function f() { d++; "a".replace("a", f); })()`,
  "replace by a regular expression": `(function f() { d++; "a".replace(/a/, f); })()`,
  "JSON.stringify": `const o = { toJSON() { d++; return JSON.stringify(o); } }; JSON.stringify(o)`,
  "JSON.parse": `(function f() { d++; JSON.parse("[1]", f); })()`,
  eval: `(function f() { d++; eval("f()"); })()`,
  "new Function": `globalThis.f = function () { d++; Function("f()")(); }; f()`,
  "an iterator": `const it = { [Symbol.iterator]() { d++; for (const x of it); } }; for (const x of it);`,
  destructuring: `const o = { get a() { d++; const { a } = o; return a; } }; o.a`,
  "Object.defineProperty": `const o = { get value() { d++; Object.defineProperty({}, "x", o); } }; o.value`,
  "Object.assign": `const o = { get x() { d++; Object.assign({}, o); } }; o.x`,
  instanceof: `const o = { [Symbol.hasInstance]() { d++; return 1 instanceof o; } }; 1 instanceof o`,
  exec: `class R extends RegExp { exec(s) { d++; return this[Symbol.replace](s, ""); } } new R("a").exec("a")`,
  with: `Function("down", "const o = { get x() { down(); with (o) return x; } }; return o.x")(() => d++)`,
  join: `const a = [1]; Object.defineProperty(a, 0, { get() { d++; return a.join(); } }); a.join()`,
  "an array in an array": `let x = []; for (let i = 0; i < 200_000; i++) x = [x]; d = 200_000; x.flat(Infinity); String(x)`,
};

/** A chain of a hundred thousand, and what goes through all of it; there is no callback in which it could be stopped. */
const chained = (make: string, use: string) =>
  `let f = function () {}; for (let i = 0; i < 100_000; i++) f = ${make}; d = 100_000; ${use}; throw new InternalError("stack overflow")`;
const CHAINS: Record<string, string> = {
  "get through proxies": chained("new Proxy(f, {})", "f.x"),
  "set through proxies": chained("new Proxy(f, {})", "f.x = 1"),
  "in, delete through proxies": chained("new Proxy(f, {})", `"x" in f, delete f.x`),
  "calls through proxies": chained("new Proxy(f, {})", "f()"),
  "new through proxies": chained("new Proxy(f, {})", "new f()"),
  "keys through proxies": chained("new Proxy(f, {})", "Object.keys(f)"),
  "prototypes through proxies": chained("new Proxy(f, {})", "Object.getPrototypeOf(f), ({}) instanceof f"),
  "isArray through proxies": chained("new Proxy(f, {})", "Array.isArray(f)"),
  "bound functions": chained(`Object.defineProperty(f.bind(), "name", { value: "" })`, "f()"),
  "bound constructors": chained(`Object.defineProperty(f.bind(), "name", { value: "" })`, "new f()"),
  "prototypes that are proxies": chained("({ __proto__: new Proxy(f, {}) })", "f.x"),
};

/** Text nested ever more deeply. */
const nested = (use: string, open: string, close: string, inside = "1") =>
  `for (let n = 1_000; ; n = (n * 1.6) | 0) { ${use}(${JSON.stringify(open)}.repeat(n) + "${inside}" + ${JSON.stringify(close)}.repeat(n)); d = n; print(d); }`;
const NESTED: Record<string, string> = {
  parentheses: nested("eval", "(", ")"),
  blocks: nested("eval", "{", "}"),
  "arrays and objects": nested("eval", "[{a:", "}]"),
  functions: nested("eval", "(function () {", "})"),
  "arrow functions": nested("eval", "() => ", ""),
  classes: nested("eval", "(class { static a = ", "})"),
  templates: nested("eval", "`${", "}`"),
  operators: nested("eval", "- ", ""),
  conditionals: nested("eval", "1 ? 1 : ", ""),
  calls: nested("Function", "f(", ")"),
  assignments: nested("Function", "a = ", "", "a"),
  "regular expressions": nested("RegExp", "(?:", ")"),
  lookaheads: nested("RegExp", "(?=", ")"),
  JSON: nested("JSON.parse", "[", "]"),
};

export const ROWS = { calls: CALLS, chains: CHAINS, nested: NESTED };

export interface Depth {
  readonly levels: number;
  /** What the program caught, or what ended it. */
  readonly end: string;
}

/** Runs a row; its program must be able to go on afterwards. The base's prelude exports `print`, whose requests are text. */
export function deepest(base: BaseImage, row: string, memoryBytesMax: number): Depth {
  const source = `import { print } from "roost";
    let d = 0;
    try { ${row} } catch (e) { const levels = d; d = 0; print(levels, e === null ? "null" : e.name + ": " + e.message); }`;
  const machine = Machine.fresh(base, { memoryBytesMax });
  const world: World = { now: () => 0, zone: "UTC", poll: () => false };
  let said = "";
  for (let stop = machine.start({ source, fileName: "deep.js" }, world); ; ) {
    if (stop.kind === "fault")
      return { levels: Number.parseInt(said, 10) || 0, end: `fault ${stop.code}: ${stop.message}` };
    const words = stop.kind === "call" ? new TextDecoder().decode(stop.request) : "";
    if (words.startsWith("exit")) {
      const [, levels = "0", end = ""] = /^(\d+) (.*)$/.exec(said) ?? [];
      machine[Symbol.dispose]();
      return { levels: Number(levels), end: end || words };
    }
    if (words.startsWith("print ")) said = words.slice(6);
    stop = machine.resume(world, new Uint8Array());
  }
}
