/** How a guest's memory is divided below its heap. Part of what an engine is: changing a number makes another engine. */

const KIB = 1024;

/**
 * How far down a segment of the C stack QuickJS may go before it throws a catchable "stack overflow". What really limits
 * depth is the host's native stack, which the engine's frames use up several times faster than this one. Chromium's
 * workers have the smallest: there, 128 KiB let recursive generators and conversions overflow it, and 96 KiB did not (about
 * 550 calls deep). What is deeper goes on on another segment with an empty native stack: build/stack.ts.
 */
export const JS_STACK_BYTES = 96 * KIB;

/** The last part of that, for what cannot be suspended: below it, all else asks for a new segment. */
export const STACK_SHARE_BYTES = 32 * KIB;

/** Room below the limit, for C code that does not check. */
export const STACK_MARGIN_BYTES = 64 * KIB;

/** A piece of the C stack: the first is part of every process, more come when recursion needs them. */
export const SEGMENT_BYTES = JS_STACK_BYTES + STACK_MARGIN_BYTES;

/** What is allocated for a segment and the frames that are older is a multiple of this. */
export const SEGMENT_STEP_BYTES = 16 * KIB;

/** Endless recursion ends here, some 90,000 calls deep, in about 75 MiB; or where the job's memory does. */
export const SEGMENTS_MAX = 256;

/** The number of the frame that stands for all that is older than the current segment. */
export const LEAVE_SEGMENT = 0;

/** Room for the frames of one segment: about 300 bytes for a call of a JavaScript function, up to 2 KB through a builtin. */
export const FRAMES_BYTES = 512 * KIB;

/** Offsets of the words in front of the frames, which the engine and its host share. */
export const FRAMES_HEADER = {
  /** Where the next frame is saved (past the end: there was no room), where saving must stop. */
  save: 0,
  saveEnd: 4,
  /** Where saving begins. */
  begin: 8,
  /** The first pending frame, and the end of them. */
  pending: 12,
  end: 16,
  /** The lowest `pending` since the machine last stopped: above it lie stale frames. */
  lowest: 20,
  /** Where QuickJS keeps the limit by which it goes: that of the current segment, or a higher one (build/stack.ts). */
  stackLimitAt: 24,
  /** How many segments there are besides the first. */
  segments: 28,
  /** The limit of the current segment. */
  limit: 32,
  bytes: 48,
} as const;
