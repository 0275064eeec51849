/** How a guest's memory is divided below its heap. Part of what an engine is: changing a number makes another engine. */

const KIB = 1024;

/**
 * How far QuickJS may go down the C stack before it throws a catchable "stack overflow". What really limits depth is the
 * host's native stack, which wasm frames use up in step with this one.
 */
export const JS_STACK_BYTES = 512 * KIB;

/** The whole C stack: QuickJS's share, and room below it for what does not check. */
export const C_STACK_BYTES = JS_STACK_BYTES + 256 * KIB;

/** Room for the frames of a suspended machine. */
export const FRAMES_BYTES = 1024 * KIB;
