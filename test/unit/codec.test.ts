import { describe, expect, test } from "vitest";
import {
  bool,
  bytes,
  decode,
  encode,
  f64,
  Invalid,
  int,
  list,
  oneOf,
  optional,
  struct,
  text,
  u32,
  union,
  utf8Decode,
  utf8Encode,
  varint,
} from "../../fabric/base/codec.ts";
import { RoostError } from "../../fabric/base/errors.ts";
import {
  CALLS,
  decodeAnswer,
  decodeCall,
  encodeAnswer,
  encodeCall,
  encodeError,
} from "../../fabric/wire/calls.ts";

const sample = union({
  hello: [1, struct({ name: text(20), age: varint, weight: f64 })],
  data: [
    2,
    struct({ blob: bytes(1000), parts: list(u32, 10), maybe: optional(bool), by: oneOf(["a", "b"]) }),
  ],
});
const values = [
  { type: "hello" as const, name: "Zoë 🦜", age: 2 ** 40, weight: -0.5 },
  {
    type: "data" as const,
    blob: new Uint8Array([1, 2, 3]),
    parts: [0, 2 ** 32 - 1],
    maybe: undefined,
    by: "b" as const,
  },
];

describe("codec", () => {
  test("gives back what it was given", () => {
    for (const value of values) expect(decode(sample, encode(sample, value))).toEqual(value);
  });

  test("answers Invalid to every truncation, and never throws at flipped bits", () => {
    for (const value of values) {
      const good = encode(sample, value);
      for (let n = 0; n < good.length; n++) expect(decode(sample, good.slice(0, n))).toBeInstanceOf(Invalid);
      expect(decode(sample, new Uint8Array([...good, 0]))).toBeInstanceOf(Invalid);
      for (let bit = 0; bit < good.length * 8; bit++) {
        const bad = good.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        decode(sample, bad);
      }
    }
  });

  test("holds lengths to their limits without allocating what is claimed", () => {
    const claim = encode(varint, 2 ** 31);
    expect(decode(bytes(2 ** 32), claim)).toMatchObject({ reason: expect.stringContaining("early") });
    expect(decode(list(u32, 10), claim)).toMatchObject({ reason: expect.stringContaining("allowed") });
    expect(() => encode(text(3), "long")).toThrow(RangeError);
  });

  test("has one form for a number", () => {
    expect(decode(varint, new Uint8Array([0x81, 0x00]))).toBeInstanceOf(Invalid);
    expect(decode(varint, new Uint8Array(9).fill(0xff))).toBeInstanceOf(Invalid);
    for (const n of [0, -1, 1, -2, 127, -128, 2 ** 50]) expect(decode(int, encode(int, n))).toBe(n);
  });

  test("writes text as its length and its UTF-8, short or long, and no more than is allowed", () => {
    for (const end of ["", "ü", "🦜"])
      for (let length = 0; length < 300; length++) {
        const s = "x".repeat(length) + end;
        const utf8 = new TextEncoder().encode(s);
        expect(encode(text(400), s)).toEqual(new Uint8Array([...encode(varint, utf8.length), ...utf8]));
        expect(decode(text(400), encode(text(400), s))).toBe(s);
        expect(() => encode(text(utf8.length - 1), s)).toThrow(RangeError);
      }
  });

  test("agrees with the platform about UTF-8, right and wrong", () => {
    for (const s of ["", "plain", "grüße", "日本語", "🦜🪺", "\ud800", "a\udc00b", "x".repeat(9000)])
      expect(utf8Encode(s)).toEqual(new TextEncoder().encode(s));
    let seed = 1;
    for (let round = 0; round < 3000; round++) {
      const wrong = Uint8Array.from({ length: 8 }, () => {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        return (
          [0xf0, 0x9f, 0xa6, 0x9c, 0xed, 0xa0, 0x80, 0xc0, 0xe2, 0x41, 0xff, 0xf4][(seed >> 8) % 12] ?? 0
        );
      });
      expect(utf8Decode(wrong)).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(wrong));
    }
  });
});

describe("system calls", () => {
  test("requests and answers survive the way", () => {
    const request = encodeCall("writeFile", { path: "a/b", flags: "wx", data: new Uint8Array([9]) });
    expect(decodeCall(request)).toEqual({
      name: "writeFile",
      args: { path: "a/b", flags: "wx", data: new Uint8Array([9]) },
    });
    const end = { pid: 7, status: -1, signal: "SIGKILL" as const, value: new Uint8Array() };
    expect(decodeAnswer("wait", encodeAnswer("wait", { end }))).toEqual({ end });
    const error = decodeAnswer("open", encodeError(new RoostError("ENOENT", "no such file: x")));
    expect(error).toBeInstanceOf(RoostError);
    expect(error).toMatchObject({ code: "ENOENT", message: "ENOENT: no such file: x" });
  });

  test("a guest's nonsense is answered, not thrown", () => {
    expect(decodeCall(new Uint8Array())).toMatchObject({ code: "EINVAL" });
    expect(decodeCall(new Uint8Array([0xff, 0xff, 0x01]))).toMatchObject({ code: "ENOSYS" });
    expect(decodeCall(encodeCall("open", { path: "x", flags: "r" }).slice(0, -1))).toMatchObject({
      code: "EINVAL",
    });
    expect(decodeAnswer("open", new Uint8Array([1, 250]))).toMatchObject({ code: "EIO" });
  });

  test("no two calls share a number", () => {
    const numbers = Object.values(CALLS).map((c) => c.number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
