/**
 * Images cross between a daemon and its worker once. Both remember those that have, in either direction, and a chain that
 * comes again brings only the names of those. The daemon decides what is forgotten, and says so with its next commands: so
 * what it leaves out is there, although both speak at the same time.
 */
import type { ImageId } from "../base/ids.ts";
import type { Command, HomeLink, Report, StayKey } from "../kernel/executor-messages.ts";
import type { EncodedImage } from "../wire/messages.ts";

/** A large process's whole image, or thousands of small changes. */
const KEPT_BYTES = 64 << 20;
const KEPT_IMAGES = 1_024;
/** More than can be on the way. */
const FORGOTTEN_KEPT = 8_192;

/** In place of bytes that are there already: no image is empty. */
const THERE = new Uint8Array();

/** What one home calls an image is nothing to others. */
type Name = `${HomeLink}/${ImageId}`;

const homeOf = (key: StayKey) => Number.parseInt(key, 10) as HomeLink;

function withImages(command: Command, each: (name: Name, image: EncodedImage) => EncodedImage): Command {
  if (command.type === "prepare") {
    const chain = command.chain.map((image) => each(`${command.home}/${image.id}`, image));
    return { ...command, chain };
  }
  if (command.type !== "place") return command;
  const { home, place } = command;
  const images = place.images.map((image) => each(`${home}/${image.id}`, image));
  return { ...command, place: { ...place, images } };
}

const named = (report: Report): { name: Name; bytes: Uint8Array }[] =>
  "images" in report
    ? report.images.map(({ id, bytes }) => ({ name: `${homeOf(report.key)}/${id}` as const, bytes }))
    : [];

/** Names forgotten, of which a report may still be on its way that does not know it. */
class Forgotten {
  readonly #names = new Set<Name>();
  has(name: Name): boolean {
    return this.#names.has(name);
  }
  add(name: Name): void {
    this.#names.add(name);
    const [oldest] = this.#names;
    if (this.#names.size > FORGOTTEN_KEPT && oldest) this.#names.delete(oldest);
  }
  delete(name: Name): void {
    this.#names.delete(name);
  }
}

/** Commands as they cross. */
export interface Crossing {
  readonly forget: readonly Name[];
  readonly commands: readonly Command[];
}

/** The daemon's side. */
export class CrossedImages {
  /** Their sizes; the one used last at the end. */
  readonly #there = new Map<Name, number>();
  readonly #forgotten = new Forgotten();
  #bytes = 0;
  #forget: Name[] = [];

  cross(all: readonly Command[]): Crossing {
    const commands = all.map((command) =>
      withImages(command, (name, image) => {
        if (this.#use(name)) return { id: image.id, bytes: THERE };
        this.#forgotten.delete(name);
        this.#add(name, image.bytes.length);
        // A part of a message: the rest of that is not to cross with it.
        return { id: image.id, bytes: image.bytes.slice() };
      }),
    );
    const crossing = { forget: this.#forget, commands };
    this.#forget = [];
    this.#shrink(all.some(({ type }) => type === "tidy")); // what was named in this crossing is forgotten with the next
    return crossing;
  }

  heard(report: Report): void {
    for (const { name, bytes } of named(report))
      if (!this.#forgotten.has(name) && !this.#use(name)) this.#add(name, bytes.length);
    this.#shrink();
  }

  #use(name: Name): boolean {
    const bytes = this.#there.get(name);
    if (bytes === undefined) return false;
    this.#there.delete(name);
    this.#there.set(name, bytes);
    return true;
  }

  #add(name: Name, bytes: number): void {
    this.#there.set(name, bytes);
    this.#bytes += bytes;
  }

  #shrink(wholly = false): void {
    for (const [name, bytes] of this.#there) {
      if (!wholly && this.#bytes <= KEPT_BYTES && this.#there.size <= KEPT_IMAGES) return;
      this.#there.delete(name);
      this.#bytes -= bytes;
      this.#forgotten.add(name);
      this.#forget.push(name);
    }
  }
}

/** The worker's side. */
export class RememberedImages {
  readonly #images = new Map<Name, Uint8Array>();
  readonly #forgotten = new Forgotten();

  /** The commands with all their images. */
  whole({ forget, commands }: Crossing): Command[] {
    for (const name of forget) {
      this.#images.delete(name);
      this.#forgotten.add(name);
    }
    return commands.map((command) =>
      withImages(command, (name, { id, bytes }) => {
        if (bytes.length === 0) return { id, bytes: this.#images.get(name) ?? bytes };
        this.#forgotten.delete(name);
        this.#images.set(name, bytes);
        return { id, bytes };
      }),
    );
  }

  said(report: Report): void {
    for (const { name, bytes } of named(report))
      if (!this.#forgotten.has(name)) this.#images.set(name, bytes);
  }
}
