/** Strokes on the canvas: how a process looks where it stands and while it flies. Looks are painted once and kept. */
import type { Glyph } from "../components/icons.tsx";

export interface Look {
  readonly glyph: Glyph;
  readonly hue: number | undefined;
  readonly label: string;
  readonly foreign: boolean;
}

interface Inks {
  readonly line: string;
  readonly ink: string;
  readonly muted: string;
  readonly surface: string;
  readonly bad: string;
  readonly lightness: string;
  readonly font: string;
}

/** Painted looks are forgotten beyond this many; labels make most of them different. */
const KEPT_MAX = 2_000;

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #kept = new Map<string, HTMLCanvasElement>();
  #inks: Inks | undefined;
  #ratio = 1;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  forget(): void {
    this.#inks = undefined;
    this.#kept.clear();
  }

  /** Clears, and fits the canvas to this size in CSS pixels. */
  begin(width: number, height: number): void {
    const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (ratio !== this.#ratio) this.#kept.clear();
    this.#ratio = ratio;
    if (this.#canvas.width !== w || this.#canvas.height !== h) {
      this.#canvas.width = w;
      this.#canvas.height = h;
    } else this.#context?.clearRect(0, 0, w, h);
    this.#context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  stand(x: number, y: number, scale: { width: number; height: number; numbered: boolean }, look: Look): void {
    const { width, height, numbered } = scale;
    this.#stamp(`s ${width} ${height}`, x, y, width, height, look, numbered, (c, inks) => {
      if (numbered) pill(c, width, height, look, inks);
      else dot(c, width, height, look, inks);
    });
  }

  /** `wings` from -1 (down) to 1 (up). */
  bird(x: number, y: number, wings: number, height: number, look: Look, numbered: boolean): void {
    const size = Math.min(26, Math.max(12, height));
    const step = Math.round(wings * 4);
    this.#stamp(`b ${size} ${step}`, x, y, size * 2, size * 2, look, numbered, (c, inks) =>
      bird(c, size, step / 4, look, inks, numbered),
    );
  }

  trail(
    fromX: number,
    fromY: number,
    toX: number,
    toY: number,
    hue: number | undefined,
    alpha: number,
  ): void {
    const c = this.#context;
    if (!c || alpha <= 0) return;
    c.globalAlpha = alpha;
    c.strokeStyle = markOf(hue, this.#ink());
    c.lineWidth = 1.5;
    c.setLineDash([2, 4]);
    c.beginPath();
    c.moveTo(fromX, fromY);
    c.quadraticCurveTo((fromX + toX) / 2, Math.min(fromY, toY) - 14, toX, toY);
    c.stroke();
    c.setLineDash([]);
    c.globalAlpha = 1;
  }

  dot(x: number, y: number, radius: number, hue: number | undefined, alpha: number): void {
    const c = this.#context;
    if (!c) return;
    c.globalAlpha = Math.max(0, alpha);
    c.fillStyle = markOf(hue, this.#ink());
    c.beginPath();
    c.arc(x, y, radius, 0, Math.PI * 2);
    c.fill();
    c.globalAlpha = 1;
  }

  spark(fromX: number, fromY: number, toX: number, toY: number, t: number, hue: number | undefined): void {
    const c = this.#context;
    if (!c) return;
    c.globalAlpha = 0.25 * (1 - t);
    c.strokeStyle = markOf(hue, this.#ink());
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(fromX, fromY);
    c.lineTo(toX, toY);
    c.stroke();
    this.dot(fromX + (toX - fromX) * t, fromY + (toY - fromY) * t, 2.2, hue, 1);
  }

  #stamp(
    kind: string,
    x: number,
    y: number,
    width: number,
    height: number,
    look: Look,
    labelled: boolean,
    paint: (c: CanvasRenderingContext2D, inks: Inks) => void,
  ): void {
    const key = `${kind} ${look.glyph} ${look.hue} ${look.foreign} ${labelled ? look.label : ""}`;
    let kept = this.#kept.get(key);
    if (!kept) {
      if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
      kept = document.createElement("canvas");
      kept.width = Math.ceil(width * this.#ratio);
      kept.height = Math.ceil(height * this.#ratio);
      const c = kept.getContext("2d");
      if (c) {
        c.scale(this.#ratio, this.#ratio);
        paint(c, this.#ink());
      }
      this.#kept.set(key, kept);
    }
    this.#context?.drawImage(kept, x - width / 2, y - height / 2, width, height);
  }

  /** The page's own colours, so that both follow the same theme. */
  #ink(): Inks {
    if (this.#inks) return this.#inks;
    const style = getComputedStyle(this.#canvas);
    const read = (name: string) => style.getPropertyValue(name).trim();
    this.#inks = {
      line: read("--line"),
      ink: read("--ink"),
      muted: read("--muted"),
      surface: read("--surface"),
      bad: read("--bad"),
      lightness: read("--mark-light"),
      font: style.fontFamily,
    };
    return this.#inks;
  }
}

const markOf = (hue: number | undefined, { lightness, muted }: Inks, alpha = 1) =>
  hue === undefined ? muted : `oklch(${lightness} 0.115 ${hue} / ${alpha})`;

/** A pill with the sign of its state and its number. */
function pill(c: CanvasRenderingContext2D, width: number, height: number, look: Look, inks: Inks): void {
  const w = width - 4;
  const h = height - 5;
  const quiet = look.glyph === "blocked" || look.glyph === "unplaced";
  c.translate(2, 2.5);
  c.lineWidth = 1;
  c.fillStyle = quiet ? inks.surface : inks.surface;
  c.beginPath();
  c.roundRect(0.5, 0.5, w - 1, h - 1, look.foreign ? 5 : h / 2);
  c.fill();
  if (!quiet) {
    c.fillStyle = markOf(look.hue, inks, 0.16);
    c.fill();
  }
  c.strokeStyle = quiet ? inks.line : markOf(look.hue, inks);
  if (look.glyph === "unplaced") {
    c.strokeStyle = inks.muted;
    c.setLineDash([3, 3]);
  }
  c.stroke();
  c.setLineDash([]);
  const size = Math.min(9, h * 0.5);
  sign(c, 5 + size / 2 + (h > 18 ? 2 : 0), h / 2, size, look, inks);
  c.fillStyle = quiet ? inks.muted : inks.ink;
  c.font = `${h > 18 ? 12.5 : 10.5}px ${inks.font}`;
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillText(look.label, size + (h > 18 ? 11 : 8), h / 2 + 0.5, w - size - 10);
}

/** Small: the state is in the shape. */
function dot(c: CanvasRenderingContext2D, width: number, height: number, look: Look, inks: Inks): void {
  sign(c, width / 2, height / 2, Math.min(width, height) - (width > 10 ? 5 : 2.5), look, inks);
}

/** Full: runs. Hollow: waits. Two bars: stopped. Dashed: has no host. */
function sign(c: CanvasRenderingContext2D, x: number, y: number, size: number, look: Look, inks: Inks): void {
  const r = size / 2;
  c.strokeStyle = c.fillStyle = markOf(look.hue, inks);
  c.lineWidth = Math.max(1, size / 6);
  c.beginPath();
  switch (look.glyph) {
    case "stopped":
      c.fillRect(x - r * 0.8, y - r, r * 0.55, size);
      c.fillRect(x + r * 0.25, y - r, r * 0.55, size);
      return;
    case "running":
      if (look.foreign) c.rect(x - r * 0.85, y - r * 0.85, size * 0.85, size * 0.85);
      else c.arc(x, y, r, 0, Math.PI * 2);
      c.fill();
      return;
    case "unplaced":
      c.strokeStyle = inks.muted;
      c.setLineDash([2, 2]);
      c.arc(x, y, r * 0.9, 0, Math.PI * 2);
      c.stroke();
      c.setLineDash([]);
      return;
    case "failed":
      c.strokeStyle = inks.bad;
      c.moveTo(x - r * 0.7, y - r * 0.7);
      c.lineTo(x + r * 0.7, y + r * 0.7);
      c.moveTo(x + r * 0.7, y - r * 0.7);
      c.lineTo(x - r * 0.7, y + r * 0.7);
      c.stroke();
      return;
    default:
      c.strokeStyle = look.glyph === "blocked" ? inks.muted : markOf(look.hue, inks);
      c.arc(x, y, r * 0.85, 0, Math.PI * 2);
      c.stroke();
  }
}

/** Two wings, a body between them, and the number below. */
function bird(
  c: CanvasRenderingContext2D,
  size: number,
  wings: number,
  look: Look,
  inks: Inks,
  numbered: boolean,
): void {
  const span = size * 0.62;
  const up = wings * size * 0.3;
  c.translate(size, size);
  c.strokeStyle = c.fillStyle = markOf(look.hue, inks);
  c.lineWidth = Math.max(1.6, size / 9);
  c.lineCap = c.lineJoin = "round";
  c.beginPath();
  c.moveTo(-span, -up);
  c.quadraticCurveTo(-span * 0.45, -up - size * 0.24, 0, 0);
  c.quadraticCurveTo(span * 0.45, -up - size * 0.24, span, -up);
  c.stroke();
  c.beginPath();
  c.ellipse(0, size * 0.03, size * 0.11, size * 0.15, 0, 0, Math.PI * 2);
  c.fill();
  if (!numbered) return;
  c.font = `600 ${Math.max(9, size * 0.42)}px ${inks.font}`;
  c.textAlign = "center";
  c.textBaseline = "top";
  c.lineWidth = 3;
  c.strokeStyle = inks.surface;
  c.strokeText(look.label, 0, size * 0.24);
  c.fillStyle = inks.ink;
  c.fillText(look.label, 0, size * 0.24);
}
