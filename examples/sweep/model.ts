/** Reading measurements, and fitting a linear model to them. Arithmetic only: the same in every engine. */

export interface Measurement {
  /** With its fraction. */
  readonly year: number;
  readonly ppm: number;
}

/** Lines of `1958-03-01,315.70`; others, like the title, are passed over. */
export function parse(csv: string): Measurement[] {
  return csv.split("\n").flatMap((line) => {
    const [, year, month, ppm] = /^(\d{4})-(\d\d)-\d\d,([\d.]+)$/.exec(line.trim()) ?? [];
    return ppm ? [{ year: Number(year) + (Number(month) - 0.5) / 12, ppm: Number(ppm) }] : [];
  });
}

/** What is multiplied with the parameters at a time: 1, the growth, the seasons. */
export function design(year: number, growth: number, pairs: number): number[] {
  const row = [1, Math.exp((year - 2000) / growth)];
  for (let k = 1; k <= pairs; k++)
    row.push(Math.sin(2 * Math.PI * k * year), Math.cos(2 * Math.PI * k * year));
  return row;
}

/** Solves the normal equations by Cholesky's decomposition. `squares`: the sum of squared differences. */
export function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]) {
  const size = rows[0]?.length ?? 0;
  const at = (vector: readonly number[], n: number) => vector[n] ?? 0;
  const normal = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  const right = new Array<number>(size).fill(0);
  for (const [n, row] of rows.entries())
    for (let i = 0; i < size; i++) {
      right[i] = at(right, i) + at(row, i) * at(values, n);
      const line = normal[i] ?? [];
      for (let j = 0; j <= i; j++) line[j] = at(line, j) + at(row, i) * at(row, j);
    }
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      const line = normal[i] ?? [];
      let sum = at(line, j);
      for (let k = 0; k < j; k++) sum -= at(line, k) * at(normal[j] ?? [], k);
      line[j] = i === j ? Math.sqrt(sum) : sum / at(normal[j] ?? [], j);
    }
  const parameters = [...right];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++)
      parameters[i] = at(parameters, i) - at(normal[i] ?? [], k) * at(parameters, k);
    parameters[i] = at(parameters, i) / at(normal[i] ?? [], i);
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++)
      parameters[i] = at(parameters, i) - at(normal[k] ?? [], i) * at(parameters, k);
    parameters[i] = at(parameters, i) / at(normal[i] ?? [], i);
  }
  const squares = rows.reduce((sum, row, n) => {
    const off = at(values, n) - row.reduce((total, x, i) => total + x * at(parameters, i), 0);
    return sum + off * off;
  }, 0);
  return { parameters, squares };
}

/** Schwarz 1978: less is better. */
export const bic = (measurements: number, squares: number, parameters: number) =>
  measurements * Math.log(squares / measurements) + parameters * Math.log(measurements);
