/**
 * A parameter sweep: which growth and which seasonal pattern explain the carbon dioxide measured on Mauna Loa best?
 * Usage: sweep.ts [FILE [STEP]]; FILE has lines `date,ppm`, STEP is that of the grid in years.
 *
 * The model is c(t) = a + b·exp((t - 2000) / τ) + K pairs of sine and cosine, of one to K periods a year. For each τ and K of
 * a grid, a, b and the amplitudes come from linear least squares; Schwarz's criterion (BIC, 1978) says which of them is
 * worth its parameters. Every child fits a part of the grid; the measurements were in its memory when it was forked.
 */
import { exit, fs, map } from "roost";
import { bic, design, leastSquares, type Measurement, parse } from "./model.ts";

const [file = "examples/sweep/co2.csv", step = "1"] = process.argv.slice(2);
const PAIRS_MAX = 5;
const GROWTH_MIN = 20;
const GROWTH_MAX = 120;

interface Fit {
  readonly growth: number;
  readonly pairs: number;
  readonly bic: number;
  /** Root of the mean squared difference, in ppm. */
  readonly rms: number;
}

function fitModel(measurements: readonly Measurement[], growth: number, pairs: number): Fit {
  const rows = measurements.map(({ year }) => design(year, growth, pairs));
  const { squares } = leastSquares(
    rows,
    measurements.map(({ ppm }) => ppm),
  );
  const rms = Math.sqrt(squares / measurements.length);
  return { growth, pairs, rms, bic: bic(measurements.length, squares, 2 + 2 * pairs) };
}

const measurements = parse(fs.readFileSync(file, "utf8"));
const grid: { growth: number; pairs: number }[] = [];
for (let pairs = 0; pairs <= PAIRS_MAX; pairs++)
  for (let growth = GROWTH_MIN; growth <= GROWTH_MAX; growth += Number(step)) grid.push({ growth, pairs });
if (measurements.length === 0 || grid.length === 0 || !(Number(step) > 0)) {
  console.error(`sweep: ${file} has no lines like 1958-03-01,315.70, or the step is no number of years`);
  exit(2);
}

const fits = map(grid, ({ growth, pairs }) => fitModel(measurements, growth, pairs));
fits.sort((a, b) => a.bic - b.bic);
console.log(`${measurements.length} measurements, ${fits.length} models; the best five:`);
for (const { growth, pairs, rms, bic } of fits.slice(0, 5))
  console.log(`τ = ${growth} years, ${pairs} pairs: off by ${rms.toFixed(4)} ppm, BIC ${bic.toFixed(1)}`);
exit(0, fits[0]);
