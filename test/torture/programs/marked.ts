/** A renderer of Markdown: regular expressions, mostly. */
import { marked } from "marked";

const text = `# Title *with* \`code\`\n\n1. one\n2. two\n   - nested **bold** [link](http://x.y "t")\n\n> quote\n> > deeper\n\n| a | b |\n|---|:-:|\n| 1 | ~~2~~ |\n
\`\`\`js\nlet x = 1 < 2;\n\`\`\`\n\n<div>html</div>\n\nline  \nbreak ![img](a.png) <https://auto.link> &amp; \\* ***both*** - [x] task\n\n[ref]: http://r.e "f"\n\n[ref] and ${"word ".repeat(40)}`;
let html = "";
for (let i = 0; i < 10; i++) html = String(marked.parse(text + i));
export default html;
