/** A compressor on strings and objects, character by character. */
import LZString from "lz-string";

const text = Array.from({ length: 120 }, (_, i) => `record ${i % 17}: ${"ab".repeat(i % 5)} ü €`).join(";");
const packed = LZString.compressToBase64(text);
export default `${packed.length} ${LZString.decompressFromBase64(packed) === text} ${packed.slice(0, 60)} ${LZString.decompressFromUTF16(LZString.compressToUTF16(text))?.length}`;
