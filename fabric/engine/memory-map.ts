/** How a guest's memory is divided below its heap. Part of what an engine is: changing a number makes another engine. */

const KIB = 1024;

/**
 * How far QuickJS may go down the C stack before it throws a catchable "stack overflow". What really limits depth is the
 * host's native stack, which the engine's frames use up several times faster than this one. Chromium's workers have the
 * smallest: there, 128 KiB let recursive generators and conversions overflow it, and 96 KiB did not (about 550 calls
 * deep). Resumed frames use no native stack, so a move never makes it worse.
 */
export const JS_STACK_BYTES = 96 * KIB;

/** The whole C stack: QuickJS's share, and room below it for what does not check. */
export const C_STACK_BYTES = JS_STACK_BYTES + 256 * KIB;

/** Room for the frames of a suspended machine: about 300 bytes for a call of a JavaScript function, up to 2 KB through a builtin. */
export const FRAMES_BYTES = 512 * KIB;
