/** JavaScript in JavaScript: an interpreter of its syntax tree, which runs generators and closures by its own generators. */
import Sval from "sval";

const interpreter = new Sval({ ecmaVer: "latest", sandBox: true });
interpreter.run(`
  class Stack { #items = []; push(...x) { this.#items.push(...x); return this; } *[Symbol.iterator]() { while (this.#items.length) yield this.#items.pop(); } }
  function* walk(tree) { if (!tree) return; yield* walk(tree.l); yield tree.v; yield* walk(tree.r); }
  const insert = (t, v) => !t ? { v } : v < t.v ? { ...t, l: insert(t.l, v) } : { ...t, r: insert(t.r, v) };
  let tree; for (let i = 0, x = 7; i < 25; i++, x = (x * 31) % 101) tree = insert(tree, x);
  const { a, ...rest } = { a: 1, b: [2, 3], get c() { return this.b.map((x) => x ** 2); } };
  let caught; try { try { null.x; } finally { caught = "f"; } } catch (e) { caught += e.constructor.name; }
  label: for (const i of [1, 2, 3]) for (const j of [1, 2, 3]) if (i * j === 6) break label;
  exports.result = [[...walk(tree)], [...new Stack().push(1, 2, 3)], rest, caught, \`\${a}\`.padEnd(3, "x")];`);
export default JSON.stringify(interpreter.exports.result);
