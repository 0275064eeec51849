/** What the engine's tax is measured on. Each is a script whose value is a number, and takes some tens of milliseconds. */
export const PROGRAMS: Record<string, string> = {
  arithmetic: `let t = 0; for (let i = 0; i < 600000; i++) t = (t + i * 7) % 65521; t`,
  calls: `function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } fib(22)`,
  deep: `function down(n) { return n ? 1 + down(n - 1) : 0; } let t = 0; for (let i = 0; i < 150; i++) t += down(200); t`,
  floats: `let x = 0.5, t = 0; for (let i = 0; i < 200000; i++) { x = 3.9 * x * (1 - x); t += Math.sin(x); } t`,
  objects: `class P { constructor(x, y) { this.x = x; this.y = y; } add(o) { return new P(this.x + o.x, this.y + o.y); } } let p = new P(0, 0); const d = new P(1, 2); for (let i = 0; i < 60000; i++) p = p.add(d); p.y`,
  arrays: `let a = Array.from({ length: 2000 }, (_, i) => i); for (let k = 0; k < 15; k++) a = a.map((x) => x + 1).filter((x) => x % 97); a.length`,
  sorting: `let s = 1; const a = Array.from({ length: 12000 }, () => (s = (s * 48271) % 2147483647)); a.sort((x, y) => x - y); a[5]`,
  strings: `let s = ""; for (let i = 0; i < 40000; i++) s += String.fromCharCode(97 + (i % 26)); let n = 0; for (const c of s) n += c.charCodeAt(0); n`,
  "regular expressions": `const text = "abc-123 de.f@gh.ij ".repeat(300); let n = 0; for (let i = 0; i < 10; i++) n += text.replace(/(\\w+)-(\\d+)/g, "$2").match(/[\\w.]+@\\w+\\.\\w+/g).length; n`,
  maps: `const m = new Map(); for (let i = 0; i < 60000; i++) m.set(i % 5000, (m.get(i % 5000) ?? 0) + i); m.size`,
  closures: `const make = (n) => () => n++; const fs = Array.from({ length: 100 }, (_, i) => make(i)); let t = 0; for (let i = 0; i < 100000; i++) t += fs[i % 100](); t`,
  generators: `function* g(n) { for (let i = 0; i < n; i++) yield i; } let t = 0; for (const x of g(60000)) t += x; t`,
  JSON: `const o = Array.from({ length: 300 }, (_, i) => ({ i, s: "x" + i, a: [i, i + 1] })); let n = 0; for (let i = 0; i < 12; i++) n += JSON.parse(JSON.stringify(o)).length; n`,
  "typed arrays": `const a = new Float64Array(4096); for (let k = 0; k < 40; k++) for (let i = 1; i < 4095; i++) a[i] = (a[i - 1] + a[i + 1] + i) / 3; a[77]`,
};
