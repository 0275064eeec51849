/**
 * The segments of a guest's C stack, as its host sees them: where the current one ends, and how another is begun. The state
 * is all in the guest's memory, so it is moved with it; build/stack.ts has the other half, and says what it is for.
 */
import type { BaseAddresses } from "./base-image.ts";
import { Halt } from "./imports.ts";
import type { Instance } from "./instance.ts";
import {
  FRAMES_BYTES,
  FRAMES_HEADER,
  LEAVE_SEGMENT,
  SEGMENT_BYTES,
  SEGMENT_STEP_BYTES,
  SEGMENTS_MAX,
  STACK_MARGIN_BYTES,
  STACK_SHARE_BYTES,
} from "./memory-map.ts";

/** The two registers that a new segment changes. */
export interface StackRegisters {
  readonly stackPointer: number;
  readonly framesBytes: number;
}

export class Segments {
  readonly #instance: Instance;
  readonly #frames: number;
  /** Where QuickJS keeps the limit by which it goes. */
  readonly #stackLimit: number;

  constructor(instance: Instance, { frames, stackLimit }: BaseAddresses) {
    this.#instance = instance;
    this.#frames = frames;
    this.#stackLimit = stackLimit;
  }

  /** Below the mark, functions ask (`asked`). The mark is the instance's, and must be set when it changes hands. */
  setMark(): void {
    this.#instance.exports.stack_mark.value = this.#refusedBelow + STACK_SHARE_BYTES;
  }

  /** Calls of the host's own, in the midst of the guest's: nothing may be suspended in them, however low the stack. */
  inOneGo<T>(calls: () => T): T {
    this.#instance.exports.stack_mark.value = 0;
    const result = calls();
    this.setMark();
    return result;
  }

  /**
   * A function has come near to the end of the segment, or to where another was refused; one that `checks` can be refused.
   * True: suspend it, and begin another segment.
   */
  asked(checks: boolean): boolean {
    const at = this.#instance.exports.stackSave();
    const limit = this.#limit;
    const refusing = this.#refusedBelow !== limit;
    if (refusing && at >= this.#refusedBelow)
      this.#refuseBelow(limit); // all that was below it has returned
    else if (refusing && checks) return false; // it throws
    const last = this.#count >= SEGMENTS_MAX;
    if (checks && last && at < limit + STACK_SHARE_BYTES) this.#refuseBelow(at);
    else return at < limit + (last ? STACK_SHARE_BYTES / 2 : STACK_SHARE_BYTES);
    return false;
  }

  /**
   * Puts all pending frames but the innermost, which has just been entered, behind a new segment, and lets that one begin
   * there. Undefined: there is no room for it, and the stack ends here. Throws a Halt where what asked cannot be told so.
   */
  begin({ stackPointer, framesBytes }: StackRegisters): StackRegisters | undefined {
    const { exports } = this.#instance;
    const end = this.#frames + FRAMES_HEADER.bytes + FRAMES_BYTES;
    const innermostBytes = 8 + (this.#instance.words[(end - framesBytes + 4) >> 2] ?? 0);
    const olderBytes = framesBytes - innermostBytes;
    // In few sizes, so that one that was freed can be used again.
    const size = Math.ceil((SEGMENT_BYTES + olderBytes) / SEGMENT_STEP_BYTES) * SEGMENT_STEP_BYTES;
    const segment = exports.malloc(size);
    if (segment === 0) {
      if (stackPointer < this.#limit - STACK_MARGIN_BYTES / 2)
        throw new Halt("ENOMEM", "no memory was left for a call stack so deep");
      this.#refuseBelow(stackPointer);
      return undefined;
    }

    const { bytes, words } = this.#instance;
    const top = (segment + SEGMENT_BYTES) & -16;
    bytes.copyWithin(segment + SEGMENT_BYTES, end - olderBytes, end);
    const content = [olderBytes, stackPointer, this.#limit];
    const frame = [LEAVE_SEGMENT, 4 * content.length, ...content];
    const kept = innermostBytes + 4 * frame.length;
    bytes.copyWithin(end - kept, end - framesBytes, end - olderBytes);
    words.set(frame, (end >> 2) - frame.length);
    if (framesBytes > kept) bytes.fill(0, end - framesBytes, end - kept);

    words[(this.#frames + FRAMES_HEADER.limit) >> 2] = segment + STACK_MARGIN_BYTES;
    words[(this.#frames + FRAMES_HEADER.segments) >> 2] = this.#count + 1;
    exports.stackRestore(top);
    this.#refuseBelow(this.#count > SEGMENTS_MAX ? top + 1 : this.#limit);
    return { stackPointer: top, framesBytes: kept };
  }

  /** The limit of the current segment. */
  get #limit(): number {
    return this.#instance.words[(this.#frames + FRAMES_HEADER.limit) >> 2] ?? 0;
  }

  /** How many there are besides the first. */
  get #count(): number {
    return this.#instance.words[(this.#frames + FRAMES_HEADER.segments) >> 2] ?? 0;
  }

  /** Below this address, what checks the stack throws: the limit, or where the stack ended before it. */
  get #refusedBelow(): number {
    return this.#instance.words[this.#stackLimit >> 2] ?? 0;
  }

  #refuseBelow(address: number): void {
    this.#instance.words[this.#stackLimit >> 2] = address;
    this.setMark();
  }
}
