/**
 * Gives the minified stock module its real names back, from the package's own glue code: `d._QTS_Eval=b.pa` names an
 * export; what an import is can be told from its body. Nothing here knows a letter; what is not found exactly once
 * ends the build with a sentence.
 */

/** Each import by something that only its body in the glue has. */
const IMPORT_MARKS: Record<string, RegExp> = {
  call_host: /callbacks\.callFunction\(/,
  poll_interrupt: /callbacks\.shouldInterrupt\(/,
  load_module: /callbacks\.loadModuleSource\(/,
  normalize_module: /callbacks\.normalizeModule\(/,
  free_host_ref: /callbacks\.freeHostRef\(/,
  assert_fail: /Assertion failed/,
  abort: /^\(\)=>\w+\(""\)$/,
  exit: /^\w+$/,
  keepalive_clear: /^\(\)=>\{\w+=!1;\w+=0\}$/,
  localtime: /getSeconds\(\)/,
  tzset: /`UTC\$/,
  setitimer: /setTimeout\(/,
  date_now: /^\(\)=>Date\.now\(\)$/,
  resize_heap: /\.grow\(/,
  environ_get: /Infinity/,
  environ_sizes_get: /^\(\w+,\w+\)=>\{.*\.length;.*return 0\}$/,
  fd_close: /^\(\)=>52$/,
  fd_seek: /return 70/,
  fd_write: /10===/,
};

export interface Names {
  /** Letter → real name, without the memory. */
  readonly imports: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, string>;
}

/** `isFunction`: the letters that the module imports as functions. */
export function readNames(glue: string, isFunction: ReadonlySet<string>): Names {
  return { imports: importNames(glue, isFunction), exports: exportNames(glue) };
}

function importNames(glue: string, isFunction: ReadonlySet<string>): Map<string, string> {
  const objectName = /=\{\w+:(\w+)\};if\(\w+\.instantiateWasm\)/.exec(glue)?.[1];
  if (!objectName) throw notFound("the import object");
  const start = glue.search(new RegExp(`[,\\s]${objectName}=\\{`));
  if (start < 0) throw notFound("the import object's definition");
  const bodies = properties(glue, glue.indexOf("{", start)).filter(([letter]) => isFunction.has(letter));

  const names = new Map<string, string>();
  for (const [name, mark] of Object.entries(IMPORT_MARKS)) {
    const found = bodies.filter(([, body]) => mark.test(body));
    const letter = found.length === 1 ? found[0]?.[0] : undefined;
    if (letter === undefined || names.has(letter)) throw notFound(`the import ${name}`);
    names.set(letter, name);
  }
  for (const letter of isFunction) if (!names.has(letter)) throw notFound(`what import "${letter}" is for`);
  return names;
}

function exportNames(glue: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const [, name = "", letter = ""] of glue.matchAll(/\.(_\w+)=\w+\.([\w$]+);/g))
    names.set(letter, name.slice(1));
  const letterOf = (variable: string | undefined, what: string) => {
    const letter = new RegExp(`[;\\s]${variable}=\\w+\\.([\\w$]+);`).exec(glue)?.[1];
    if (variable === undefined || letter === undefined) throw notFound(what);
    return letter;
  };
  // In ccall: `0===h&&(h=stackSave())` … `0!==h&&stackRestore(h)`.
  names.set(letterOf(/0===(\w+)&&\(\1=(\w+)\(\)/.exec(glue)?.[2], "stackSave"), "stackSave");
  names.set(letterOf(/0!==(\w+)&&(\w+)\(\1\)/.exec(glue)?.[2], "stackRestore"), "stackRestore");
  const constructors = /\.calledRun=!0;if\(!\w+\)\{\w+=!0;\w+\.([\w$]+)\(\);/.exec(glue)?.[1];
  if (!constructors) throw notFound("the constructors");
  names.set(constructors, "initialize");
  return names;
}

/** The properties of the object literal that opens at `open`, with the text of each value. */
function properties(code: string, open: number): [name: string, value: string][] {
  const found: [string, string][] = [];
  let depth = 0;
  let start = open + 1;
  for (let i = open; i < code.length; i++) {
    const c = code[i] ?? "";
    if (c === '"' || c === "'" || c === "`") i = endOfString(code, i);
    else if ("({[".includes(c)) depth++;
    else if (")}]".includes(c)) depth--;
    if ((c === "," && depth === 1) || depth === 0) {
      const property = code.slice(start, i);
      const colon = property.indexOf(":");
      found.push([property.slice(0, colon).trim(), property.slice(colon + 1).trim()]);
      if (depth === 0) break;
      start = i + 1;
    }
  }
  return found;
}

function endOfString(code: string, start: number): number {
  for (let i = start + 1; i < code.length; i++) {
    if (code[i] === "\\") i++;
    else if (code[i] === code[start]) return i;
  }
  return code.length;
}

const notFound = (what: string) =>
  new Error(
    `The QuickJS package's glue code has changed: ${what} was not found in it; teach fabric/engine/build/names.ts.`,
  );
