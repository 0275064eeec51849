/** What can go wrong on purpose. Bugs are assertions; everything else is one of these codes with a sentence that says what to do. */

export const ERROR_CODES = [
  "EACCES", // outside the job's directory
  "EAGAIN", // a limit was met; try later or ask for less
  "EBADF", // not an open file
  "ECHILD", // no child to wait for
  "EEXIST",
  "EINVAL", // the call makes no sense
  "EIO", // the home could not do it
  "EISDIR",
  "EMFILE", // too many open files
  "ENOENT",
  "ENOHOST", // no host takes the process
  "ENOMEM",
  "ENOSYS", // this version does not know the call
  "ENOTDIR",
  "ENOTEMPTY",
  "EPERM",
  "ESRCH", // no such process
  "ETIMEDOUT",
  "EVERSION", // the other side runs another build
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** What went wrong, in a sentence that says what to do. */
export class RoostError extends Error {
  override readonly name = "RoostError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** For the `default` of a switch that handles every case: does not compile when one is forgotten. */
export function unreachable(value: never): never {
  throw new Error(`bug: unhandled ${JSON.stringify(value)}`);
}

/** Narrows away `undefined` where the surrounding code guarantees a value; a failure is a bug, never bad input. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`bug: no ${what}`);
  return value;
}
