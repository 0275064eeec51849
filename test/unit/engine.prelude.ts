/** Calls are words in ASCII: `ask("name rest")` gives the host's answer, `print` is a call whose answer is ignored. */
export const PRELUDE = {
  source: `
    const { __sys } = globalThis;
    export function ask(words) {
      const request = Uint8Array.from(words, (c) => c.charCodeAt(0));
      return String.fromCharCode(...new Uint8Array(__sys(request.buffer)));
    }
    export const raw = __sys;
    export const print = (...values) => void ask("print " + values.join(" "));
    const end = (error) => ask(error === undefined ? "exit" : "exit " + error + "\\n" + (error?.stack ?? ""));
    globalThis.__hooks = {
      started: (threw, value) => threw ? end(value) : void Promise.resolve(value).then(() => end(), end),
      tick: () => void ask("tick"),
    };`,
};
