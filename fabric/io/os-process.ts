/** Other processes of this user on this machine. */
import { readFileSync } from "node:fs";

/** Not where it has ended and nobody has taken notice, as far as this system tells: in a container that may never happen. */
export function isAlive(osPid: number): boolean {
  try {
    process.kill(osPid, 0);
  } catch {
    return false; // or somebody else's
  }
  return statusOf(osPid)?.[0] !== "Z";
}

/** When a process began, as far as this system tells: another may get its number later. */
export const beginningOf = (osPid: number): string => statusOf(osPid)?.[19] ?? "";

/** Linux: what proc(5) says of a process, behind its name. Undefined elsewhere. */
function statusOf(osPid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${osPid}/stat`, "latin1").split(") ").at(-1)?.split(" ");
  } catch {
    return undefined;
  }
}
