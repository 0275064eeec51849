/** What the page's address says behind "#": that part is sent to no server. */

const GROUP = "group";
const JOB = "job";
/** 128 bits: nobody guesses it. */
const SECRET_BYTES = 16;

type Address = Pick<Location, "origin" | "pathname" | "hash">;

/** The secret of a group; undefined: this page deals with everybody on its relay. */
export const groupInAddress = (address: Pick<Address, "hash">): string | undefined => named(GROUP, address);

/** `HOST.SECRET` of a job elsewhere. */
export const jobInAddress = (address: Pick<Address, "hash">): string | undefined => named(JOB, address);

/** For others: the same relay, the same group, and no job, which is to be steered only by whom its owner trusts. */
export function invitationTo(address: Address): string {
  const group = groupInAddress(address);
  const hash = group === undefined ? "" : `#${new URLSearchParams({ [GROUP]: group })}`;
  return `${address.origin}${address.pathname}${hash}`;
}

/** What goes behind "#" for a group that nobody knows yet. */
export function newGroup(): string {
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return `${GROUP}=${Array.from(secret, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

const named = (name: string, { hash }: Pick<Address, "hash">): string | undefined =>
  new URLSearchParams(hash.slice(1)).get(name) ?? undefined;
