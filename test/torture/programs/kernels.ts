/** Small kernels of the classic kinds: objects and virtual calls, floats in a grid, a tree that is rebalanced, and an interpreter in the interpreter. */

abstract class Task {
  readonly queue: number[] = [];
  abstract step(x: number): number;
}
class Adder extends Task {
  step(x: number) {
    return x + 1;
  }
}
class Mixer extends Task {
  #state = 1;
  step(x: number) {
    this.#state = (this.#state * 1103515245 + 12345) & 0x7fffffff;
    return (x ^ this.#state) >>> 0;
  }
}
function schedule(): number {
  const tasks: Task[] = [new Adder(), new Mixer(), new Adder()];
  let x = 7;
  for (let i = 0; i < 4000; i++) {
    const task = tasks[i % tasks.length] as Task;
    task.queue.push(x);
    if (task.queue.length > 5) x = task.step(task.queue.shift() ?? 0);
  }
  return x;
}

function fluid(): string {
  const n = 24;
  let grid = new Float64Array(n * n).map((_, i) => Math.sin(i));
  for (let k = 0; k < 12; k++)
    grid = grid.map(
      (v, i) => (v + (grid[i - 1] ?? 0) + (grid[i + 1] ?? 0) + (grid[i - n] ?? 0) + (grid[i + n] ?? 0)) / 5,
    );
  return grid.reduce((a, v) => a + v, 0).toFixed(12);
}

type Tree = { key: number; left: Tree | null; right: Tree | null };
function splay(): number {
  let root: Tree | null = null;
  const insert = (t: Tree | null, key: number): Tree => {
    if (!t) return { key, left: null, right: null };
    if (key < t.key) {
      const left = insert(t.left, key);
      return { key: left.key, left: left.left, right: { key: t.key, left: left.right, right: t.right } };
    }
    const right = insert(t.right, key);
    return { key: right.key, left: { key: t.key, left: t.left, right: right.left }, right: right.right };
  };
  for (let i = 0, x = 1; i < 300; i++, x = (x * 48271) % 2147483647) root = insert(root, x % 1000);
  const height = (t: Tree | null): number => (t ? 1 + Math.max(height(t.left), height(t.right)) : 0);
  return height(root);
}

type Expression = number | string | Expression[];
function lisp(): string {
  const read = (text: string): Expression => {
    const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
    const next = (): Expression => {
      const t = tokens.shift() ?? "";
      if (t !== "(") return Number.isNaN(+t) ? t : +t;
      const items: Expression[] = [];
      while (tokens[0] !== ")") items.push(next());
      tokens.shift();
      return items;
    };
    return next();
  };
  type Scope = Map<string, unknown>;
  const evaluate = (x: Expression, scope: Scope): unknown => {
    if (typeof x === "number") return x;
    if (typeof x === "string") return scope.get(x);
    const [op, a = 0, b = 0, c = 0] = x;
    if (op === "if") return evaluate(evaluate(a, scope) ? b : c, scope);
    if (op === "fn") return (v: unknown) => evaluate(b, new Map([...scope, [String(a), v]]));
    if (op === "def") return scope.set(String(a), evaluate(b, scope));
    const f = evaluate(op ?? 0, scope) as (...v: unknown[]) => unknown;
    return f(...x.slice(1).map((y) => evaluate(y, scope)));
  };
  const scope: Scope = new Map<string, unknown>([
    ["+", (p: number, q: number) => p + q],
    ["-", (p: number, q: number) => p - q],
    ["<", (p: number, q: number) => p < q],
  ]);
  evaluate(read("(def fib (fn n (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"), scope);
  const fib = scope.get("fib") as (n: number) => unknown;
  scope.set("fib", (n: number): unknown =>
    evaluate(read("(if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))"), new Map([...scope, ["n", n]])),
  );
  return `${fib(1)} ${evaluate(read("(fib 9)"), scope)}`;
}

const words = Array.from(
  { length: 300 },
  (_, i) => `${i}@mail-${i % 7}.example.org, 20${10 + (i % 20)}-0${1 + (i % 9)}-1${i % 10}`,
).join("; ");
const matched = words
  .replace(/(\d+)@([a-z-]+)(\d)\.(?=example)/g, "$3$2$1!")
  .match(/(?<=20)(?<y>\d\d)-(0[1-9])-\d+/gu)?.length;

export default [schedule(), fluid(), splay(), lisp(), matched].join(" ");
