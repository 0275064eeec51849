/**
 * The Mandelbrot set as a picture, in shades of grey: mandelbrot.js [WIDTH [HEIGHT]]. Every band of rows is computed by a
 * process of its own; the picture is written to mandelbrot.pgm.
 */
import { fs, map } from "roost";

const width = Number(process.argv[2] ?? 48);
const height = Number(process.argv[3] ?? 32);
const LIMIT = 64;

function iterations(cx, cy) {
  let x = 0;
  let y = 0;
  let n = 0;
  while (n < LIMIT && x * x + y * y <= 4) {
    [x, y] = [x * x - y * y + cx, 2 * x * y + cy];
    n++;
  }
  return n;
}

const rows = map(
  Array.from({ length: height }, (_, y) => y),
  (y) =>
    Uint8Array.from({ length: width }, (_, x) => {
      const n = iterations((3 * x) / (width - 1) - 2.25, (2.5 * y) / (height - 1) - 1.25);
      return n === LIMIT ? 0 : 255 - 3 * n;
    }),
  { chunks: 6 },
);

const head = new TextEncoder().encode(`P5\n${width} ${height}\n255\n`);
const picture = new Uint8Array(head.length + width * height);
picture.set(head);
rows.forEach((row, y) => {
  picture.set(row, head.length + y * width);
});
fs.writeFileSync("mandelbrot.pgm", picture);
console.log(`mandelbrot.pgm: ${width} × ${height}, ${picture.length} bytes`);
