/** A compiler of grammars to parsers, and a parser that it has made, which is evaluated here. */
import peggy from "peggy";

const grammar = `
  { const apply = (first, rest) => rest.reduce((x, [, op, , y]) => op === "+" ? x + y : op === "-" ? x - y : op === "*" ? x * y : x / y, first); }
  sum = first:product rest:(_ ("+" / "-") _ product)* { return apply(first, rest); }
  product = first:factor rest:(_ ("*" / "/") _ factor)* { return apply(first, rest); }
  factor = "(" _ x:sum _ ")" { return x; } / name / number
  number "number" = "-"? [0-9]+ ("." [0-9]+)? { return parseFloat(text()); }
  name = [a-z]i+ { return text().length; }
  _ = [ \\t\\n]*`;
const parser = peggy.generate(grammar, { cache: true });
const failed = (text: string) => {
  try {
    return parser.parse(text);
  } catch (error) {
    return (error as Error).message;
  }
};
export default ["1 + 2 * (3 - four) / 5", "((((((7))))))", "2 * (3", "0.5*-8+abc"].map(failed).join("\n");
