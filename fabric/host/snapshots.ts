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
  /** When commands for that process are done with, and if it is still there. */
  readonly inOrder: (key: StayKey, act: () => Promise<void>) => void;
  readonly onFailure: (key: StayKey, error: unknown) => void;
}

/** Measures work that lets others run: how long it has taken without them. */
interface OwnTime {
  readonly breathe: () => Promise<void>;
  readonly ms: () => number;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  /** Of processes that run on. */
  readonly #saving = new Map<StayKey, Promise<void>>();
  #readingAhead = 0;
  #breathing = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** How many are being written of processes that stand still, for so long that others run. */
  get breathing(): number {
    return this.#breathing;
  }
  get areWritten(): boolean {
    return this.#readingAhead + this.#saving.size + this.#breathing > 0;
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
      if (p.machine.readAhead()) await this.#readAhead(p, breathe);
      return await this.#encode(p, { ...how, breathe }, place);
    } finally {
      this.#breathing--;
    }
  }

  /** The process goes on: only the reading of what has changed since the last, and of little that is new, is waited for. */
  save(p: Resident): void {
    const { inOrder, onFailure } = this.#options;
    const time = this.#ownTime();
    if (!p.machine.readAhead()) return this.#write(p, time);
    this.#readingAhead++;
    this.#readAhead(p, time.breathe)
      .catch((error) => onFailure(p.key, error))
      .finally(() => {
        this.#readingAhead--;
        // It may have forked meanwhile, and its home does not know that yet.
        inOrder(p.key, async () => {
          await this.idle(p.key);
          this.#write(p, time);
        });
      });
  }

  async #readAhead(p: Resident, breathe: () => Promise<void>): Promise<void> {
    do await breathe();
    while (p.machine.readAhead());
  }

  #write(p: Resident, { breathe, ms }: OwnTime): void {
    const { report, onFailure } = this.#options;
    const done = this.#encode(p, { breathe })
      .then((taken) => {
        p.untold = { ...taken, tookMs: ms() };
        const { images } = taken;
        if (bytesOf(images) > LIMITS.aheadBytes) report({ type: "ahead", key: p.key, images });
        else this.tell(p);
      })
      .catch((error) => onFailure(p.key, error))
      .finally(() => this.#saving.delete(p.key));
    this.#saving.set(p.key, done);
  }

  #ownTime(): OwnTime {
    const { clock, breathe } = this.#options;
    const began = clock.monotonic();
    let othersMs = 0;
    return {
      breathe: async () => {
        const from = clock.monotonic();
        await breathe();
        othersMs += clock.monotonic() - from;
      },
      ms: () => clock.monotonic() - began - othersMs,
    };
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
