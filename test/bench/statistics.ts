/** The value below which `p` per cent of the samples lie (nearest rank). */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error("no samples");
  return value;
}

/** A figure's median under its own name, and how far apart its samples are: a tenth of them lie below p10, a tenth above p90. */
export const spread = (name: string, unit: string, samples: readonly number[]): Record<string, number> => ({
  [`${name}_${unit}`]: percentile(samples, 50),
  [`${name}_p10_${unit}`]: percentile(samples, 10),
  [`${name}_p90_${unit}`]: percentile(samples, 90),
});

/**
 * The factors of a linear formula that comes nearest to what was measured (Gauss): `rows` has what each sample was made with,
 * `values` what came of it. By the normal equations, which are good enough for a few well-spread factors.
 */
export function leastSquares(
  rows: readonly (readonly number[])[],
  values: readonly number[],
): readonly number[] {
  const width = rows[0]?.length ?? 0;
  const at = (row: readonly number[] | undefined, n: number) => row?.[n] ?? 0;
  // Rows of the augmented matrix XᵀX | Xᵀy.
  const system = Array.from({ length: width }, (_, i) =>
    Array.from({ length: width + 1 }, (_, j) =>
      rows.reduce((sum, row, n) => sum + at(row, i) * (j < width ? at(row, j) : at(values, n)), 0),
    ),
  );
  for (let column = 0; column < width; column++) {
    const pivots = system.map((row) => Math.abs(at(row, column)));
    const pivot = pivots.indexOf(Math.max(...pivots.slice(column)), column);
    [system[column], system[pivot]] = [system[pivot] ?? [], system[column] ?? []];
    const top = system[column] ?? [];
    if (at(top, column) === 0) throw new Error("the samples do not tell the factors apart");
    for (const [n, row] of system.entries()) {
      if (n === column) continue;
      const factor = at(row, column) / at(top, column);
      for (let j = column; j <= width; j++) row[j] = at(row, j) - factor * at(top, j);
    }
  }
  return system.map((row, n) => at(row, width) / at(row, n));
}
