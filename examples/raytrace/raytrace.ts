/**
 * A picture, made by many: every child traces the rays of some lines, and the first process puts them into a PNG file.
 * Usage: raytrace.ts [WIDTH [HEIGHT [FILE]]], default 320, 200 and raytrace.png.
 */
import { zlibSync } from "fflate";
import { exit, fs, map } from "roost";
import { renderRow } from "./scene.ts";

const [wide = "320", high = "200", file = "raytrace.png"] = process.argv.slice(2);
const width = Number(wide);
const height = Number(high);
const isSize = (n: number) => Number.isInteger(n) && n >= 1 && n <= 4096;
if (!isSize(width) || !isSize(height)) {
  console.error("raytrace: width and height are whole numbers from 1 to 4096");
  exit(2);
}

const rows = map(
  Array.from({ length: height }, (_, y) => y),
  (y) => renderRow(y, width, height),
);
fs.writeFileSync(file, png(rows));
console.log(`${file}: ${width} × ${height}`);

/** RFC 2083: each line after the number of its filter (0: none), all of it compressed. */
function png(lines: readonly Uint8Array[]): Uint8Array {
  const raw = new Uint8Array(height * (1 + 3 * width));
  for (const [y, line] of lines.entries()) raw.set(line, y * (1 + 3 * width) + 1);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 2], 8); // bits, and red, green, blue
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(raw)),
    chunk("IEND", new Uint8Array()),
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc(out.subarray(4, 8 + data.length)));
  return out;
}

function crc(data: Uint8Array): number {
  let value = ~0;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}
