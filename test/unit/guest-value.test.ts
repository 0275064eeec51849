import { describe, expect, test } from "vitest";
import { ERROR_CODES, RoostError } from "../../fabric/base/errors.ts";
import { decodeValue, encodeValue } from "../../fabric/guest/value.ts";

const copy = <T>(value: T): T => decodeValue(encodeValue(value)) as T;

/** An array of three without its middle. */
function holed(first: unknown, last: unknown): unknown[] {
  const array = [first];
  array[2] = last;
  return array;
}

describe("values", () => {
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const samples: Record<string, unknown> = {
    primitives: [undefined, null, true, false, "", "text", "grüße 🦜", "lone \ud800", "x".repeat(5000)],
    numbers: [
      0,
      -0,
      1,
      -1,
      1.5,
      Number.NaN,
      Infinity,
      -Infinity,
      2 ** 51,
      -(2 ** 53),
      2 ** 53,
      1e308,
      5e-324,
    ],
    bigints: [0n, -1n, 2n ** 200n, -(2n ** 64n)],
    objects: { a: 1, "b c": { d: [] }, "": 0, "\ud800": 1 },
    map: new Map<unknown, unknown>([
      [1, "one"],
      [{ key: true }, new Set([1, "2", { three: 3 }])],
    ]),
    dates: [new Date(0), new Date(1e12), new Date(Number.NaN)],
    patterns: [/a\/b/giu, /^$/, /🦜/u],
    views: [
      bytes,
      new Uint8Array(bytes.buffer, 2, 3),
      new Float64Array([0.5, -0]),
      new BigInt64Array([-5n]),
      new Uint8ClampedArray([300]),
      new DataView(bytes.buffer, 1, 4),
      new Int16Array(0),
    ],
    buffer: bytes.buffer,
    boxed: [Object(1), Object("s"), Object(false), Object(3n)],
    sparse: Object.assign(holed(1, 3), { extra: true }),
    long: Object.assign([], { length: 4_000_000_000 }),
  };
  for (const [name, value] of Object.entries(samples))
    test(`${name} come back as they were`, () => {
      expect(copy(value)).toStrictEqual(value);
      expect(copy(value)).toStrictEqual(structuredClone(value));
    });

  test("a property called __proto__ is only a property", () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true}}');
    const back = copy(hostile) as { polluted?: boolean };
    expect(Object.keys(back)).toEqual(["__proto__"]);
    expect(back.polluted).toBeUndefined();
  });

  test("errors keep type, message, stack, cause and further properties", () => {
    const error = Object.assign(new TypeError("wrong", { cause: new RangeError("deeper") }), { line: 3 });
    const back = copy(error);
    expect(back).toBeInstanceOf(TypeError);
    expect(back).toMatchObject({ name: "TypeError", message: "wrong", line: 3, stack: error.stack });
    expect(back.cause).toBeInstanceOf(RangeError);
    expect(Object.keys(back)).toEqual(["line"]);

    const own = copy(new RoostError("ENOENT", "no such file: x"));
    expect(own).toBeInstanceOf(RoostError);
    expect(own).toMatchObject({ code: "ENOENT", message: "ENOENT: no such file: x", name: "RoostError" });

    class Custom extends Error {
      override name = "Custom";
    }
    expect(copy(new Custom("c"))).toMatchObject({ name: "Custom", message: "c" });
    expect(copy(new AggregateError([new Error("one")], "all")).errors[0]).toMatchObject({ message: "one" });
  });

  test("what is one object stays one, and what is in itself stays in itself", () => {
    const shared = { n: 1 };
    const [a, b] = copy([shared, shared]);
    expect(a).toBe(b);
    const circle: { self?: unknown; set: Set<unknown> } = { set: new Set() };
    circle.self = circle;
    circle.set.add(circle);
    const back = copy(circle);
    expect(back.self).toBe(back);
    expect(back.set.has(back)).toBe(true);
    const [whole, part] = copy([bytes, bytes.subarray(1, 2)]);
    expect(part?.buffer).toBe(whole?.buffer);
  });

  test("depth costs no stack", () => {
    let list: { next: unknown } = { next: null };
    for (let n = 0; n < 200_000; n++) list = { next: list };
    let length = 0;
    for (let at: unknown = copy(list); at; at = (at as { next: unknown }).next) length++;
    expect(length).toBe(200_001);
  });

  test("instances become plain objects, as in structuredClone", () => {
    class Point {
      x = 1;
      get double() {
        return 2 * this.x;
      }
    }
    expect(copy<object>(new Point())).toStrictEqual({ x: 1 });
  });

  test("what cannot be copied is named by its path", () => {
    const message = (value: unknown) => {
      try {
        encodeValue(value);
      } catch (error) {
        return error instanceof RoostError && error.code === "EINVAL" ? error.message : error;
      }
    };
    expect(message({ a: [0, { run: () => 1 }] })).toContain("value.a[1].run is a function");
    expect(message(new Map([["key", Symbol("s")]]))).toContain("value.get(key) is a symbol");
    expect(message([Promise.resolve()])).toContain("value[0] is a Promise");
    expect(message({ w: new WeakMap() })).toContain("value.w is a WeakMap");
    expect(message(() => 1)).toContain("value is a function");
  });

  test("hostile bytes give a value or a RoostError, and never more than they could hold", () => {
    const good = encodeValue({ ...samples, error: new RoostError("EIO", "x"), long: [1, 2, 3] });
    const attempt = (bytes: Uint8Array) => {
      try {
        decodeValue(bytes);
      } catch (error) {
        if (!(error instanceof RoostError && ERROR_CODES.includes(error.code))) throw error;
      }
    };
    for (let n = 0; n < good.length; n++) expect(() => decodeValue(good.slice(0, n))).toThrow(RoostError);
    expect(() => decodeValue(new Uint8Array([...good, 0]))).toThrow(RoostError);
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    for (let round = 0; round < 20_000; round++) {
      const bad = good.slice();
      for (let flips = 1 + random(4); flips > 0; flips--)
        bad[random(Math.min(bad.length, 600))] = random(256);
      attempt(bad);
    }
    for (let round = 0; round < 20_000; round++)
      attempt(Uint8Array.from({ length: random(40) }, () => (random(3) ? random(12) : random(256))));
  });
});
