/** The functions of a spreadsheet: statistics, finance, dates, text, matrices. */
import * as F from "@formulajs/formulajs";

const cells = Array.from({ length: 60 }, (_, i) => ((i * 7919) % 211) / 7);
const value = (x: unknown) => (x instanceof Error ? x.message : x instanceof Date ? x.toISOString() : x);
export default JSON.stringify(
  [
    F.SUM(cells),
    F.STDEV.S(cells),
    F.PERCENTILE.INC(cells, 0.3),
    F.MEDIAN(cells),
    F.SLOPE(cells.slice(0, 30), cells.slice(30)),
    F.PMT(0.06 / 12, 360, 250_000),
    F.IRR([-70_000, 12_000, 15_000, 18_000, 21_000, 26_000], 0.1),
    F.XNPV(0.09, [-1000, 500, 700], ["2020-01-01", "2021-01-01", "2022-01-01"]),
    F.NORMSDIST(1.3, true),
    F.TINV(0.05, 12),
    F.MMULT(
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ),
    F.ROMAN(1994),
    F.DEC2HEX(48_879),
    F.SUBSTITUTE("a-b-c", "-", "+", 2),
    F.PROPER("the quick brown fox"),
    F.WEEKNUM("2024-02-29"),
    F.SQRT(-1),
  ].map(value),
);
