/** A highlighter of syntax: long regular expressions, many times over. */
import Prism from "prismjs";

const script = `async function f(x = []) { /* c */ const re = /[a-z]+\\/(?:b|c)/giu; return \`a\${x.map((y) => y.a).join("\\n")}b\`; } // end\nclass A { static #p = 0x1Fn; }`;
const styles = `@media (min-width: 3em) { a:hover > b::before { content: "\\201C"; color: #fff !important } /* c */ }`;
const page = `<!doctype html><p class="a" onclick="f('x')">&amp;<style>a > b { c: url(x) }</style><script>let t = 1 < 2;</script></p>`;
let html = "";
for (let i = 0; i < 4; i++)
  html = [
    Prism.highlight(script.repeat(2) + i, Prism.languages.javascript, "javascript"),
    Prism.highlight(styles, Prism.languages.css, "css"),
    Prism.highlight(page, Prism.languages.markup, "markup"),
  ].join("\n");
export default html;
