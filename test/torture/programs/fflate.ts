/** A compressor and its inverse, on typed arrays. */
import { gunzipSync, gzipSync, strFromU8, strToU8, unzipSync, zipSync } from "fflate";

const text = Array.from({ length: 1500 }, (_, i) => `line ${(i * 7919) % 104_729} of text`).join("\n");
const packed = gzipSync(strToU8(text), { level: 9, mtime: 0 });
const zip = zipSync(
  { "a.txt": strToU8(text.slice(0, 9000)), d: { "b.bin": packed } },
  { mtime: "2020-01-01T12:00:00", level: 6 },
);
const same = strFromU8(gunzipSync(packed)) === text;
export default [
  packed.length,
  zip.length > packed.length,
  same,
  Object.keys(unzipSync(zip)).join(),
  packed.slice(20, 40).join(),
].join(" ");
