/**
 * Writes processes of an executor down: one that stands still for it, because it forks or leaves, and one that goes on meanwhile. A large
 * one takes a second, in small steps, and others run in between.
 */
import { RoostError } from "../base/errors.ts";
import type { ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";
import type { Report } from "../kernel/executor-messages.ts";
import { type EncodedImage, NOTHING_LEARNED, type StayKey } from "../wire/messages.ts";
import type { Writing } from "./machines.ts";
import { NOT_NEEDED, placeOf, type Resident, type Taken } from "./resident.ts";

export interface SnapshotsOptions {
  readonly clock: Clock;
  readonly report: (report: Report) => void;
  /** Lets others run. */
  readonly breathe: () => Promise<void>;
  /** Others may run from now on: what is begun breathes. */
  readonly onBreathing: () => void;
  readonly onFailure: (key: StayKey, error: unknown) => void;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  /** Of processes that run on. */
  readonly #saving = new Map<StayKey, Promise<void>>();
  #breathing = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** How many are being written of processes that stand still, for so long that others run. */
  get breathing(): number {
    return this.#breathing;
  }
  get areWritten(): boolean {
    return this.#saving.size + this.#breathing > 0;
  }

  /** Resolves when nothing is being written of a process that runs on. */
  async idle(key: StayKey): Promise<void> {
    await this.#saving.get(key);
  }

  /** Of a process that does not run until this is done, as it is now. */
  async take(p: Resident, how: Writing = {}): Promise<Taken> {
    const { breathe, onBreathing } = this.#options;
    const place = placeOf(p);
    if (p.machine.memoryBytes < LIMITS.precopyBytes) return this.#encode(p, how, place);
    this.#breathing++;
    onBreathing();
    try {
      while (p.machine.readAhead()) await breathe();
      return await this.#encode(p, { ...how, breathe }, place);
    } finally {
      this.#breathing--;
    }
  }

  /** The process goes on: only the reading of what has changed since the last, and of little that is new, is waited for. */
  save(p: Resident): void {
    const { onFailure } = this.#options;
    const done = this.#write(p)
      .catch((error) => onFailure(p.key, error))
      .finally(() => this.#saving.delete(p.key));
    this.#saving.set(p.key, done);
  }

  async #write(p: Resident): Promise<void> {
    const { clock, report } = this.#options;
    const { key, machine } = p;
    const began = clock.monotonic();
    let othersMs = 0;
    const breathe = async () => {
      const from = clock.monotonic();
      await this.#options.breathe();
      othersMs += clock.monotonic() - from;
    };
    while (machine.readAhead()) {
      await breathe();
      if (p.state.kind === "frozen") return; // it has ended
    }
    const taken = await this.#encode(p, { breathe });
    p.untold = { ...taken, tookMs: clock.monotonic() - began - othersMs };
    if (bytesOf(taken.images) > LIMITS.aheadBytes) report({ type: "ahead", key, images: taken.images });
    else this.tell(p);
  }

  /** The home has what went ahead, up to this image. */
  arrived(p: Resident, image: ImageId): void {
    if (p.untold?.images.at(-1)?.id === image) this.tell(p, []);
  }

  /** Tells of one that was saved and is not told yet, if there is one. `images`: those that the home lacks. */
  tell(p: Resident, images = p.untold?.images ?? []): void {
    if (!p.untold) return;
    const { snapshot, tookMs } = p.untold;
    p.untold = undefined;
    const learned = snapshot ? p.learned.lettersBefore(snapshot) : NOTHING_LEARNED;
    this.#options.report({ type: "snapshot", key: p.key, why: "save", snapshot, images, learned, tookMs });
    if (snapshot) p.learned.forgetBefore(snapshot);
  }

  /** The memory is read before this returns. */
  async #encode(p: Resident, how: Writing, place = placeOf(p)): Promise<Taken> {
    if (p.program) return NOT_NEEDED; // it has not begun, and can begin elsewhere from what it was placed with
    this.tell(p); // what this one continues
    const { chain, images } = await p.machine.encodeImage(how);
    const imageBytes = bytesOf(images);
    if (imageBytes > LIMITS.placedBytes)
      throw new RoostError(
        "ENOMEM",
        `it is too large to be sent: ${Math.ceil(imageBytes / 2 ** 20)} MiB, compressed, where ${LIMITS.placedBytes / 2 ** 20} are possible; keep less in memory`,
      );
    return { snapshot: { chain, ...place }, images };
  }
}

const bytesOf = (images: readonly EncodedImage[]) => images.reduce((sum, { bytes }) => sum + bytes.length, 0);
