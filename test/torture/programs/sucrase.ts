/** A compiler from TypeScript and JSX to JavaScript. */
import { transform } from "sucrase";

const source = `import React, { type FC } from "react"; interface P { a: number } enum E { A = 1, B = A << 2 }
  export const C: FC<P> = ({ a, ...rest }) => <div {...rest} key={a as any}>{a! > 1 ? <b>x</b> : null}</div>;
  abstract class D<T> { private readonly x?: T; constructor(public y: string) {} declare z: number; async f(this: D<T>): Promise<void> { await import("./" + this.y); } }`;
let out = "";
for (let i = 0; i < 6; i++)
  out = transform(source, {
    transforms: i % 2 ? ["typescript", "jsx", "imports"] : ["typescript", "jsx"],
  }).code;
export default out;
