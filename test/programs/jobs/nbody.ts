/**
 * Bodies that attract each other, in supersteps: nbody.ts [STEPS]. Each process has its share of the bodies; after each step
 * it puts their places into a register of every other.
 */
import { bsp } from "roost";

const PROCESSES = 4;
const BODIES = 8;
const STEP = 0.01;
const steps = Number(process.argv[2] ?? 6);

type Vector = [x: number, y: number, z: number];
interface Body {
  readonly mass: number;
  readonly at: Vector;
  readonly speed: Vector;
}

/** On a coil, each with a push along it. */
const bodies = (): Body[] =>
  Array.from({ length: BODIES }, (_, n) => ({
    mass: 1 + n / 4,
    at: [n - 3.5, ((n * 5) % 8) - 3.5, ((n * 3) % 8) - 3.5],
    speed: [(n % 3) / 4 - 0.25, 0.25 - (n % 2) / 2, 0],
  }));

function pull(body: Body, others: readonly Body[]): void {
  for (const other of others) {
    const [x, y, z] = [0, 1, 2].map((i) => (other.at[i] ?? 0) - (body.at[i] ?? 0)) as Vector;
    const square = x * x + y * y + z * z;
    if (square === 0) continue;
    const force = (STEP * other.mass) / (square * Math.sqrt(square));
    body.speed[0] += x * force;
    body.speed[1] += y * force;
    body.speed[2] += z * force;
  }
}

function drift({ at, speed }: Body): void {
  at[0] += STEP * speed[0];
  at[1] += STEP * speed[1];
  at[2] += STEP * speed[2];
}

const ends = bsp.run(PROCESSES, (rank, size) => {
  const all = bodies();
  const mine = all.filter((_, n) => n % size === rank);
  for (let step = 0; step < steps; step++) {
    for (const body of mine) pull(body, all);
    for (const body of mine) drift(body);
    for (let other = 0; other < size; other++)
      bsp.put(
        other,
        `from ${rank}`,
        mine.map(({ at }) => at),
      );
    bsp.sync();
    for (let other = 0; other < size; other++)
      for (const [n, at] of bsp.get<Vector[]>(`from ${other}`).entries()) {
        const body = all[n * size + other];
        if (body && other !== rank) for (const i of [0, 1, 2] as const) body.at[i] = at[i];
      }
  }
  return all.map(({ at }) => at);
});

for (const at of ends[0] ?? []) console.log(at.join(" "));
const told = (places: readonly Vector[]) => JSON.stringify(places);
console.log(`all agree: ${ends.every((end) => told(end) === told(ends[0] ?? []))}`);
