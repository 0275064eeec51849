import { exit, map } from "roost";

// The Mandelbrot set, a line of pixels for each call. Pixels as an exit value are shown as a picture.
const width = Number(process.argv[2] ?? 480);
const height = Math.round((width * 2) / 3);
const STEPS = 200;

function line(y) {
  const pixels = new Uint8ClampedArray(width * 4);
  for (let x = 0; x < width; x++) {
    const cr = (x / width) * 3 - 2.1;
    const ci = (y / height) * 2 - 1;
    let r = 0;
    let i = 0;
    let n = 0;
    for (; n < STEPS && r * r + i * i < 4; n++) [r, i] = [r * r - i * i + cr, 2 * r * i + ci];
    const glow = n === STEPS ? 0 : Math.sqrt(n / STEPS);
    pixels.set([glow * 120, glow * 220, 60 + glow * 195, 255], x * 4);
  }
  return pixels;
}

const data = new Uint8ClampedArray(width * height * 4);
const lines = map(
  Array.from({ length: height }, (_, y) => y),
  line,
);
lines.forEach((pixels, y) => {
  data.set(pixels, y * width * 4);
});
exit(0, { width, height, data });
