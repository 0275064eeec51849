/** Names of things. Brands keep one kind of number or string from being passed for another. */

declare const brand: unique symbol;
type Brand<T, Name> = T & { readonly [brand]: Name };

/** A participant of the fabric: a tab or an edge process. Made of its public key: 26 characters of base 32. */
export type HostId = Brand<string, "HostId">;
/** One launch of a program, with all the processes it forks. Given by its home. */
export type JobId = Brand<string, "JobId">;
/** A process of a job: 1 is the program itself, forks count up. Stable for life, unique within the job. */
export type Pid = Brand<number, "Pid">;
/** Grows with each host that a process is handed to; each life of its home begins a million higher. The home's is the truth; 0 means never placed. */
export type Epoch = Brand<number, "Epoch">;
/** The number of a system call within its process: the first is 0. With the pid it names an effect for ever. */
export type CallNumber = Brand<number, "CallNumber">;
/** An answer to a file call that hosts may give again. Given by the home, never twice in a job. */
export type CachedId = Brand<number, "CachedId">;
/** SHA-256 of a booted, empty interpreter's memory, in hexadecimal. Two hosts with the same one can trade images. */
export type BaseId = Brand<string, "BaseId">;

/** The name of an encoded image: a hash of it and of all those it continues. */
export type ImageId = Brand<string, "ImageId">;

export const hostId = (text: string) => text as HostId;
export const jobId = (text: string) => text as JobId;
export const pid = (n: number) => n as Pid;
export const epoch = (n: number) => n as Epoch;
export const cachedId = (n: number) => n as CachedId;
export const callNumber = (n: number) => n as CallNumber;
export const imageId = (text: string) => text as ImageId;
export const baseId = (text: string) => text as BaseId;

/** The process every job begins with; it adopts orphans, as init does. */
export const FIRST_PID = pid(1);

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** A fresh identifier of 130 random bits, from bytes the caller drew (26 of them). */
export function idFromBytes(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 26), (b) => ALPHABET[b & 31]).join("");
}
