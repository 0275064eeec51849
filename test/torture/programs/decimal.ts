/** Arithmetic of any precision: pi, e, and a logarithm to a hundred digits. */
import { Decimal } from "decimal.js";

Decimal.set({ precision: 100 });
let pi = new Decimal(0);
for (let k = 0; k < 60; k++) {
  const eight = 8 * k;
  pi = pi.plus(
    new Decimal(16).pow(-k).times(
      new Decimal(4)
        .div(eight + 1)
        .minus(new Decimal(2).div(eight + 4))
        .minus(new Decimal(1).div(eight + 5))
        .minus(new Decimal(1).div(eight + 6)),
    ),
  );
}
export default [pi, Decimal.exp(1), new Decimal(2).ln(), Decimal.sin(1), new Decimal("1e-30").cbrt()]
  .map(String)
  .join("\n");
