/** Programs that never end, and whatever could make two runs of one of them differ. */
export const PROGRAMS: Record<string, string> = {
  "a bit of everything": `
    const log = [];
    function* numbers(n) { for (let i = 0; i < n; i++) yield Math.random() * i; }
    const deep = (n) => (n ? [n].map(() => deep(n - 1) + (n % 3))[0] : [...numbers(20)].length); // more than one segment of the stack
    const clock = () => Date.now() + new Date().getTimezoneOffset();
    for (let round = 0; ; round++) {
      log.push(JSON.stringify({ round, deep: deep(700), text: "x".repeat(round % 50).replace(/x/g, (x) => x + round) }));
      log.push(new Date(round * 1e9).toString(), [..."hello"].sort((a, b) => (a < b ? 1 : -1)).join(""), 10n ** BigInt(round % 30));
      const halves = new Float64Array([0 / 0, -0, Math.sqrt(-round), Infinity - Infinity, Math.sin(round), 1 / 3, Math.pow(round, 0.1)]);
      const single = new Float32Array(halves).map((x, i) => x * i);
      new DataView(halves.buffer).setFloat64(48, -NaN);
      log.push(halves, single, halves.map((x) => -x * Math.fround(0.1)), [...new Uint8Array(halves.buffer)].join());
      log.push((round * 1234.5678).toLocaleString(), new Date(round * 1e10).toLocaleString(), "ı".localeCompare("I"), "İ".toLocaleLowerCase(), ["ä", "z", "a"].sort((a, b) => a.localeCompare(b)), "é".normalize("NFD").length, (0.1 * round).toFixed(20), (round / 7).toString(3), clock());
      for (let i = 0; i < 3000; i++) log.length = Math.min(log.length, 200 + (i % 7));
    }`,

  "timers, clocks and promises": `
    const log = [];
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    async function worker(n) {
      for (let round = 0; ; round++) {
        await wait((n * 7 + round * 3) % 20);
        log.push(n, new Date().toISOString());
        log.splice(0, log.length - 500);
        for (let i = 0; i < 4000; i++) log[i % 7] = i;
        await Promise.allSettled([wait(1), Promise.reject(n), Promise.race([wait(5), wait(2)])]);
        if (round % 5 === 0) await Promise.any([1, 2].map(async (x) => { if (x === 1) throw x; return x; }));
      }
    }
    async function* ticks() { for (let i = 0; ; i++) { await wait(4); yield new Date(Date.now()).getMilliseconds() + i; } }
    for (let n = 0; n < 8; n++) void worker(n);
    for await (const t of ticks()) log.push(t);`,

  "random numbers, sorted": `
    for (const seen = new Map(); ; ) {
      const rows = Array.from({ length: 500 }, (_, i) => ({ i, key: Math.floor(Math.random() * 50), text: Math.random().toString(36) }));
      rows.sort((a, b) => a.key - b.key); // stable
      const unsure = rows.slice(0, 60).sort(() => Math.random() - 0.5);
      const texts = rows.map((row) => row.text).sort();
      const numbers = new Float64Array(rows.map(() => Math.random() - 0.5)).sort();
      seen.set(texts[0], [unsure.map((row) => row.i).join(), numbers[7], rows.toSorted((a, b) => (a.text < b.text ? -1 : 1))[0]]);
      if (seen.size > 50) seen.delete(seen.keys().next().value);
    }`,

  "maps and sets, changed while they are walked": `
    const objects = Array.from({ length: 300 }, (_, i) => (i % 2 ? { i } : Symbol("s" + i)));
    const weak = new WeakMap();
    const all = new Set();
    for (let round = 0; ; round++) {
      const map = new Map(objects.map((o, i) => [o, i ^ round]));
      for (const [key, i] of map) {
        if (i % 5 === 0) map.delete(objects[(i * 7) % 300]);
        if (i % 11 === 0 && map.size < 400) map.set("new " + i, i);
        if (typeof key === "object") weak.set(key, { i, round });
      }
      for (const x of all) if (all.size > 200) all.delete(x);
      for (const [key] of map) all.add(key);
      const record = {};
      for (const key of map.keys()) record[typeof key === "object" ? key.i : key] = weak.get(key);
      for (const name in record) if (name.length > 2) delete record[name];
      all.add(Reflect.ownKeys(record).length + JSON.stringify(record).length);
    }`,

  "what is collected, and when": `
    const ended = [];
    const registry = new FinalizationRegistry((n) => { ended.push(n); ended.splice(0, ended.length - 300); });
    const refs = [];
    for (let n = 0; ; n++) {
      let ring = { n };
      ring.self = { ring, padding: new Array(20).fill(n) }; // only a collection ends it
      registry.register(ring, n);
      refs.push(new WeakRef(ring));
      ring = undefined;
      if (refs.length > 200) refs.splice(0, 100);
      if (n % 50 === 0) await null; // so that finalizers run
      if (n % 500 === 0) ended.push(refs.filter((ref) => ref.deref()).length);
    }`,

  "all of the memory, and all of the stack": `
    for (let round = 0; ; round++) {
      const kept = [];
      try { for (;;) kept.push(new Uint8Array(100_000 + round).fill(round), { round }); } catch (e) { kept.length = round % 10; kept.push(String(e)); }
      let depth = 0;
      const down = () => { depth++; [0].map(down); };
      if (round % 3 === 0) try { down(); } catch (e) { kept.push(depth, e.message); }
      for (let i = 0; i < 50_000; i++) kept[10] = i;
    }`,
};
