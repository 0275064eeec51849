/** What this tab is called until its owner says otherwise: a colour and a bird, and which browser on which system. */
import type { Environment } from "../fabric/index.ts";

const COLOURS =
  "amber ashen azure bronze cobalt copper coral crimson dusky golden hazel indigo ivory jade lilac olive pearl ruby rust sable scarlet silver slate tawny umber violet".split(
    " ",
  );
const BIRDS =
  "bunting crane dipper dove finch heron hoopoe jay kestrel lapwing lark linnet magpie martin merlin nuthatch oriole osprey petrel pipit plover robin rook shrike siskin starling swallow swift tern thrush wagtail warbler wren".split(
    " ",
  );

/** "amber-finch", from two random numbers in [0, 256). */
export function birdName(random: Uint8Array): string {
  const pick = (words: readonly string[], n = 0) => words[n % words.length] ?? "";
  return `${pick(COLOURS, random[0])}-${pick(BIRDS, random[1])}`;
}

/** "Chromium on Linux". Browsers name themselves in many ways at once; the order of the tests matters. */
export function platformOf(userAgent: string): Environment["platform"] {
  const first = (table: readonly (readonly [RegExp, string])[], otherwise: string) =>
    table.find(([pattern]) => pattern.test(userAgent))?.[1] ?? otherwise;
  const browser = first(
    [
      [/Firefox\//, "Firefox"],
      [/Edg\//, "Edge"],
      [/OPR\//, "Opera"],
      [/Chrom(e|ium)\//, "Chromium"],
      [/Safari\//, "Safari"],
    ],
    "a browser",
  );
  const system = first(
    [
      [/Android/, "Android"],
      [/iPhone|iPad/, "iOS"],
      [/Windows/, "Windows"],
      [/Mac OS X/, "macOS"],
      [/CrOS/, "ChromeOS"],
      [/Linux/, "Linux"],
    ],
    "an unknown system",
  );
  return `${browser} on ${system}`;
}
