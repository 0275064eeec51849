/**
 * Draws processes on one canvas over the places of the fabric: they stand in their yards, fly in low arcs when their
 * place has changed, come out of their parents when they are forked, and go home to them when they end. One canvas, so
 * that hundreds move without the browser laying anything out. It draws only while something is different or moves, and
 * less often where only letters do; who prefers less motion sees things simply be where they are.
 */
import type { Glyph } from "../components/icons.tsx";
import { type Look, Painter } from "./painter.ts";

/** Something to draw. Same key: the same thing. */
export interface Sprite {
  readonly key: string;
  /** Where it belongs: only a change of place is a flight. */
  readonly place: string;
  /** Of the sprite it comes out of, and goes back to. */
  readonly origin: string | undefined;
  readonly x: number;
  readonly y: number;
  readonly glyph: Glyph;
  readonly hue: number | undefined;
  /** Drawn where there is room. */
  readonly label: string;
  /** Somebody else's: drawn with corners. */
  readonly foreign: boolean;
}

export interface Scene {
  readonly sprites: readonly Sprite[];
  readonly scale: { readonly width: number; readonly height: number; readonly numbered: boolean };
  /** Of the canvas, in CSS pixels. */
  readonly width: number;
  readonly height: number;
}

interface Flight {
  readonly fromX: number;
  readonly fromY: number;
  readonly beganMs: number;
  readonly kind: "move" | "birth";
}

/** Seen no more, and on its way home. */
interface Leaving {
  readonly sprite: Sprite;
  readonly toX: number;
  readonly toY: number;
  readonly beganMs: number;
}

interface Spark {
  readonly from: string;
  readonly to: string;
  readonly beganMs: number;
}

const FLIGHT_MS = 620;
const HOME_MS = 420;
const SPARK_MS = 360;
/** More would be a blur. */
const SPARKS_MAX = 80;
/**
 * Frames in which nothing but sparks moves come so far apart, and so do sparks on one way: letters go on for as long as a job
 * does, on the thread that draws.
 */
const SPARK_FRAME_MS = 40;
/** When more fly at once, none leaves a trail: so many dashed lines would be a blur, and most of the drawing's time. */
const TRAILS_MAX = 60;
const LEAVING_MAX = 300;
/** Wings beat so many times a second. */
const BEATS = 3.2;

export class Sky {
  readonly #painter: Painter;
  #scene: Scene = { sprites: [], scale: { width: 1, height: 1, numbered: false }, width: 0, height: 0 };
  #byKey = new Map<string, Sprite>();
  readonly #flights = new Map<string, Flight>();
  #leaving: Leaving[] = [];
  #sparks: Spark[] = [];
  #dragged: { readonly key: string; x: number; y: number } | undefined;
  #frame = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #drawnMs = Number.NEGATIVE_INFINITY;
  readonly #still: () => boolean;

  /** `still`: whether nothing is to move. */
  constructor(canvas: HTMLCanvasElement, still: () => boolean) {
    this.#painter = new Painter(canvas);
    this.#still = still;
  }

  show(scene: Scene, nowMs = performance.now()): void {
    if (isSame(scene, this.#scene)) return; // most of what changes in a job is its figures
    const before = this.#byKey;
    const byKey = new Map(scene.sprites.map((sprite) => [sprite.key, sprite]));
    if (!this.#still() && before.size > 0) {
      for (const sprite of scene.sprites) {
        const old = before.get(sprite.key);
        const from = old ?? (sprite.origin === undefined ? undefined : before.get(sprite.origin));
        if (!from || (old && old.place === sprite.place)) continue;
        const at = this.#whereIs(from, nowMs);
        this.#flights.set(sprite.key, {
          fromX: at.x,
          fromY: at.y,
          beganMs: nowMs,
          kind: old ? "move" : "birth",
        });
      }
      for (const sprite of before.values()) {
        if (byKey.has(sprite.key) || sprite.origin === undefined) continue;
        const home = byKey.get(sprite.origin);
        if (home && this.#leaving.length < LEAVING_MAX)
          this.#leaving.push({
            sprite: { ...sprite, ...this.#whereIs(sprite, nowMs) },
            toX: home.x,
            toY: home.y,
            beganMs: nowMs,
          });
      }
    }
    for (const key of this.#flights.keys()) if (!byKey.has(key)) this.#flights.delete(key);
    this.#byKey = byKey;
    this.#scene = scene;
    this.#wake();
  }

  /** A message from one to another: a spark. */
  spark(from: string, to: string): void {
    if (this.#still() || this.#sparks.length >= SPARKS_MAX || document.hidden) return;
    const nowMs = performance.now();
    const justLeft = ({ beganMs, ...way }: Spark) =>
      nowMs - beganMs < SPARK_FRAME_MS && way.from === from && way.to === to;
    if (this.#sparks.some(justLeft)) return;
    this.#sparks.push({ from, to, beganMs: nowMs });
    this.#wakeForSparks();
  }

  /** What is at this point of the canvas. */
  at(x: number, y: number): Sprite | undefined {
    const { width, height } = this.#scene.scale;
    return this.#scene.sprites.find(
      (sprite) => Math.abs(sprite.x - x) <= width / 2 && Math.abs(sprite.y - y) <= height / 2,
    );
  }

  drag(key: string | undefined, x = 0, y = 0): void {
    this.#dragged = key === undefined ? undefined : { key, x, y };
    this.#wake();
  }

  /** Colours are others now. */
  repaint(): void {
    this.#painter.forget();
    this.#wake();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
  }

  #wake(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((nowMs) => {
      this.#frame = 0;
      this.#drawnMs = nowMs;
      if (this.draw(nowMs)) this.#wake();
      else if (this.#sparks.length > 0) this.#wakeForSparks();
    });
  }

  #wakeForSparks(): void {
    if (this.#frame !== 0 || this.#rest !== undefined) return;
    const restMs = this.#drawnMs + SPARK_FRAME_MS - performance.now();
    if (restMs > 0) this.#rest = setTimeout(() => this.#wake(), restMs);
    else this.#wake();
  }

  /** Draws one frame; says whether another is needed at once, for more than sparks. */
  draw(nowMs: number): boolean {
    const { sprites, scale, width, height } = this.#scene;
    const painter = this.#painter;
    painter.begin(width, height);
    for (const { sprite, toX, toY, beganMs } of this.#leaving) {
      const t = ease((nowMs - beganMs) / HOME_MS);
      if (t >= 1) continue;
      painter.dot(
        mix(sprite.x, toX, t),
        mix(sprite.y, toY, t) - lift(sprite, toX, toY) * arc(t),
        3.2,
        sprite.hue,
        1 - t,
      );
    }
    this.#leaving = this.#leaving.filter(({ beganMs }) => nowMs - beganMs < HOME_MS);
    let moving = false;
    const flying: Sprite[] = [];
    for (const sprite of sprites) {
      if (sprite.key === this.#dragged?.key) continue;
      const flight = this.#flights.get(sprite.key);
      if (flight && nowMs - flight.beganMs >= FLIGHT_MS) this.#flights.delete(sprite.key);
      if (this.#flights.has(sprite.key)) flying.push(sprite);
      else if (sprite.glyph === "moving") {
        moving = true;
        painter.bird(sprite.x, sprite.y, this.#wings(nowMs), scale.height, lookOf(sprite), scale.numbered);
      } else painter.stand(sprite.x, sprite.y, scale, lookOf(sprite));
    }
    // What flies is above what stands.
    for (const sprite of flying) {
      const flight = this.#flights.get(sprite.key);
      if (!flight) continue;
      const { x, y } = this.#whereIs(sprite, nowMs);
      const t = (nowMs - flight.beganMs) / FLIGHT_MS;
      if (flying.length <= TRAILS_MAX)
        painter.trail(flight.fromX, flight.fromY, x, y, sprite.hue, (1 - t) * 0.5);
      painter.bird(x, y, this.#wings(nowMs + sprite.x * 7), scale.height, lookOf(sprite), scale.numbered);
    }
    for (const spark of this.#sparks) {
      const from = this.#byKey.get(spark.from);
      const to = this.#byKey.get(spark.to);
      const t = (nowMs - spark.beganMs) / SPARK_MS;
      if (from && to && t < 1) painter.spark(from.x, from.y, to.x, to.y, t, from.hue);
    }
    this.#sparks = this.#sparks.filter(({ beganMs }) => nowMs - beganMs < SPARK_MS);
    const dragged = this.#dragged && this.#byKey.get(this.#dragged.key);
    if (dragged && this.#dragged)
      painter.bird(
        this.#dragged.x,
        this.#dragged.y,
        0.6,
        scale.height * 1.2,
        lookOf(dragged),
        scale.numbered,
      );
    return this.#flights.size > 0 || this.#leaving.length > 0 || (moving && !this.#still());
  }

  #wings(nowMs: number): number {
    return this.#still() ? 0.7 : Math.sin((nowMs / 1000) * BEATS * 2 * Math.PI);
  }

  #whereIs(sprite: Sprite, nowMs: number): { x: number; y: number } {
    const flight = this.#flights.get(sprite.key);
    if (!flight) return { x: sprite.x, y: sprite.y };
    const t = ease((nowMs - flight.beganMs) / FLIGHT_MS);
    const { fromX, fromY } = flight;
    return {
      x: mix(fromX, sprite.x, t),
      y: mix(fromY, sprite.y, t) - lift({ x: fromX, y: fromY }, sprite.x, sprite.y) * arc(t),
    };
  }
}

function isSame(a: Scene, b: Scene): boolean {
  return (
    a.width === b.width &&
    a.height === b.height &&
    areAlike(a.scale, b.scale) &&
    a.sprites.length === b.sprites.length &&
    a.sprites.every((sprite, n) => areAlike(sprite, b.sprites[n]))
  );
}

function areAlike<T extends object>(a: T, b: T | undefined): boolean {
  for (const key in a) if (a[key] !== b?.[key]) return false;
  return true;
}

const lookOf = ({ glyph, hue, label, foreign }: Sprite): Look => ({ glyph, hue, label, foreign });
const mix = (from: number, to: number, t: number) => from + (to - from) * t;
/** Slow at both ends. */
const ease = (t: number) => (t <= 0 ? 0 : t >= 1 ? 1 : t < 0.5 ? 4 * t ** 3 : 1 - (-2 * t + 2) ** 3 / 2);
const arc = (t: number) => 4 * t * (1 - t);
const lift = (from: { x: number; y: number }, toX: number, toY: number) =>
  Math.min(46, 8 + Math.hypot(toX - from.x, toY - from.y) / 6);
