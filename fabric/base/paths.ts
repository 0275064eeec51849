/** Paths of a job's files are relative to its directory, with `/`; "" is that directory. */

export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
