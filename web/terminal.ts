/**
 * What a job has printed, as lines to show. Bytes come in pieces that may end inside a character or a line; stdout and
 * stderr keep apart but in order. Bounded: beyond the limit the oldest lines go, and how many went is known.
 */

export interface Line {
  /** Counts all lines ever printed: a stable key. */
  readonly number: number;
  readonly stream: "out" | "err" | "in";
  readonly text: string;
}

/** A person reads no more; a program that prints for ever must not fill the page. */
const LINES_MAX = 5_000;
/** A longer line is cut, with a mark where it was. */
const LINE_CHARACTERS_MAX = 10_000;

/** Colours and cursor movements of terminals (ECMA-48 control sequences and OSC strings), which a page does not do. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export class TerminalLines {
  #lines: Line[] = [];
  #next = 0;
  #dropped = 0;
  readonly #open = { out: "", err: "" };
  readonly #decoders = { out: new TextDecoder(), err: new TextDecoder() };

  print(fd: number, data: Uint8Array): void {
    const stream = fd === 2 ? "err" : "out";
    const text = this.#open[stream] + this.#decoders[stream].decode(data, { stream: true });
    const lines = text.split("\n");
    const open = lines.pop() ?? "";
    this.#open[stream] = open.length > LINE_CHARACTERS_MAX ? `…${open.slice(-LINE_CHARACTERS_MAX)}` : open;
    for (const line of lines) this.#add(stream, line);
  }

  /** What the person typed, so that it reads as on a terminal. */
  echo(line: string): void {
    this.#add("in", line);
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** All lines, the unfinished ones last. A new array each time. */
  snapshot(): readonly Line[] {
    const open = (stream: "out" | "err", number: number): Line[] =>
      this.#open[stream] ? [{ number, stream, text: clean(this.#open[stream]) }] : [];
    return [...this.#lines, ...open("out", this.#next), ...open("err", this.#next + 1)];
  }

  #add(stream: Line["stream"], text: string): void {
    this.#lines.push({ number: this.#next++, stream, text: clean(text) });
    if (this.#lines.length <= LINES_MAX) return;
    // By halves, so that each line is moved once, not at every print.
    const gone = this.#lines.length - LINES_MAX / 2;
    this.#lines = this.#lines.slice(gone);
    this.#dropped += gone;
  }
}

/** Without control sequences; a carriage return starts the line again, as progress bars mean it. */
function clean(line: string): string {
  const cut = line.length > LINE_CHARACTERS_MAX + 1 ? `${line.slice(0, LINE_CHARACTERS_MAX)}…` : line;
  const plain = cut.replace(ANSI, "").replace(/\r+$/, "");
  return plain.slice(plain.lastIndexOf("\r") + 1);
}
