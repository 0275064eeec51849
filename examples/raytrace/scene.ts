/**
 * Spheres over a chequered floor. Whitted's way (1980): a ray that meets something sends one to the light and one in the
 * direction of the mirror. Only + - * / and square roots, which IEEE 754 makes the same in every engine.
 */
type Vector = readonly [number, number, number];

interface Sphere {
  readonly centre: Vector;
  readonly radius: number;
  readonly colour: Vector;
  /** Of the light that comes back: how much is mirrored. */
  readonly mirror: number;
}

const SPHERES: readonly Sphere[] = [
  { centre: [0, 1, 4], radius: 1, colour: [0.95, 0.35, 0.25], mirror: 0.35 },
  { centre: [-2.1, 0.7, 3.2], radius: 0.7, colour: [0.3, 0.75, 0.45], mirror: 0.2 },
  { centre: [1.9, 0.6, 2.7], radius: 0.6, colour: [0.3, 0.5, 0.95], mirror: 0.3 },
  { centre: [0.7, 0.3, 1.9], radius: 0.3, colour: [0.95, 0.8, 0.3], mirror: 0.15 },
];
const LIGHT: Vector = [-4, 6, -1];
const EYE: Vector = [0, 1.3, -2.5];
const BOUNCES = 4;
/** Rays for a point, in each direction. */
const SAMPLES = 2;
const NEAR = 1e-6;

const plus = (a: Vector, b: Vector): Vector => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const times = (a: Vector, n: number): Vector => [a[0] * n, a[1] * n, a[2] * n];
const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a: Vector): Vector => times(a, 1 / Math.sqrt(dot(a, a)));

interface Hit {
  readonly distance: number;
  readonly point: Vector;
  readonly normal: Vector;
  readonly colour: Vector;
  readonly mirror: number;
}

function meet(from: Vector, way: Vector): Hit | undefined {
  let nearest: { distance: number; sphere: Sphere | undefined } | undefined;
  for (const sphere of SPHERES) {
    const to = minus(sphere.centre, from);
    const along = dot(to, way);
    const under = along * along - dot(to, to) + sphere.radius * sphere.radius;
    if (under < 0) continue;
    const distance = along - Math.sqrt(under);
    if (distance > NEAR && distance < (nearest?.distance ?? Number.POSITIVE_INFINITY))
      nearest = { distance, sphere };
  }
  if (way[1] < 0) {
    const distance = -from[1] / way[1];
    if (distance > NEAR && distance < (nearest?.distance ?? 60)) nearest = { distance, sphere: undefined };
  }
  if (!nearest) return undefined;
  const { distance, sphere } = nearest;
  const point = plus(from, times(way, distance));
  if (sphere)
    return {
      distance,
      point,
      normal: unit(minus(point, sphere.centre)),
      colour: sphere.colour,
      mirror: sphere.mirror,
    };
  const dark = (Math.floor(point[0]) + Math.floor(point[2])) % 2 !== 0;
  return {
    distance,
    point,
    normal: [0, 1, 0],
    colour: dark ? [0.25, 0.27, 0.3] : [0.9, 0.9, 0.85],
    mirror: 0.1,
  };
}

function trace(from: Vector, way: Vector, bounces: number): Vector {
  const hit = meet(from, way);
  if (!hit) {
    const height = (way[1] + 1) / 2;
    return plus(times([1, 1, 1], 1 - height), times([0.45, 0.65, 0.95], height));
  }
  const start = plus(hit.point, times(hit.normal, NEAR * 10));
  const toLight = minus(LIGHT, start);
  const shadow = meet(start, unit(toLight));
  const lit = shadow && shadow.distance * shadow.distance < dot(toLight, toLight) ? 0 : 1;
  const bright = 0.15 + 0.85 * lit * Math.max(0, dot(hit.normal, unit(toLight)));
  const own = times(hit.colour, bright * (1 - hit.mirror));
  if (bounces === 0) return own;
  const mirrored = minus(way, times(hit.normal, 2 * dot(way, hit.normal)));
  return plus(own, times(trace(start, mirrored, bounces - 1), hit.mirror));
}

/** One line of the picture: red, green and blue of each point, from 0 to 255. */
export function renderRow(y: number, width: number, height: number): Uint8Array {
  const row = new Uint8Array(3 * width);
  for (let x = 0; x < width; x++) {
    let sum: Vector = [0, 0, 0];
    for (let n = 0; n < SAMPLES * SAMPLES; n++) {
      const dx = x + ((n % SAMPLES) + 0.5) / SAMPLES - width / 2;
      const dy = height / 2 - y - (Math.floor(n / SAMPLES) + 0.5) / SAMPLES;
      sum = plus(sum, trace(EYE, unit([dx / height, dy / height, 1.1]), BOUNCES));
    }
    for (const [n, value] of sum.entries())
      row[3 * x + n] = Math.min(255, Math.floor((256 * value) / (SAMPLES * SAMPLES)));
  }
  return row;
}
