/**
 * Writes processes of an executor down: one that stands still for it, because it forks or leaves, and one that goes on meanwhile. A large
 * one takes a second, in small steps, and others run in between; so they do while one is read that arrives.
 */
import { RoostError } from "../base/errors.ts";
import type { ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";
import type { Report, StayKey } from "../kernel/executor-messages.ts";
import { type EncodedImage, NOTHING_LEARNED } from "../wire/messages.ts";
import type { Reading, Writing } from "./machines.ts";
import { NOT_NEEDED, placeOf, type Resident, type Taken } from "./resident.ts";

export interface SnapshotsOptions {
  readonly clock: Clock;
  readonly report: (report: Report) => void;
  /** Lets others run. */
  readonly breathe: () => Promise<void>;
  /** Others may run from now on: what is begun breathes. */
  readonly onBreathing: () => void;
  /** When commands for that process that came before are done with. `isHere`: whether it still is. */
  readonly inOrder: (key: StayKey, act: (isHere: boolean) => unknown) => void;
  readonly onFailure: (key: StayKey, error: unknown) => void;
}

/** Measures work that lets others run: how long it has taken without them. */
interface OwnTime {
  readonly breathe: () => Promise<void>;
  readonly ms: () => number;
}

/** A process that runs on is being written down. */
interface Saving {
  /** It is told with its images, however many: its owner may not say anything more. */
  hurries: boolean;
  /** From when its memory has been read. */
  written: Promise<void> | undefined;
}

export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #saving = new Map<StayKey, Saving>();
  #breathing = 0;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** How many processes stand still for what takes so long that others run. */
  get breathing(): number {
    return this.#breathing;
  }
  /** Images are written or read between the slices of processes. */
  get isUnderWay(): boolean {
    return this.#saving.size + this.#breathing > 0;
  }

  /** Resolves when what was read of a process is written; others run meanwhile. */
  async untilWritten(key: StayKey): Promise<void> {
    const written = this.#saving.get(key)?.written;
    if (written) await this.#whileOthersRun(() => written);
  }

  /** Of a process that does not run until this is done, as it is now. */
  async take(p: Resident, how: Writing = {}): Promise<Taken> {
    const { breathe } = this.#options;
    const place = placeOf(p);
    if (p.machine.memoryBytes < LIMITS.precopyBytes) return this.#encode(p, how, place);
    return this.#whileOthersRun(async () => {
      const reading = this.#readAhead(p, breathe);
      if (reading) await reading;
      return this.#encode(p, { ...how, breathe, standsStill: true }, place);
    });
  }

  /** Reads a process that arrives. Others run from when that breathes first: what is small does not. */
  async read<T>(act: (breathe: Reading["breathe"]) => Promise<T>): Promise<T> {
    let breathes = false;
    try {
      return await act(() => {
        if (!breathes) {
          breathes = true;
          this.#breathing++;
          this.#options.onBreathing();
        }
        return this.#options.breathe();
      });
    } finally {
      if (breathes) this.#breathing--;
    }
  }

  async #whileOthersRun<T>(act: () => Promise<T>): Promise<T> {
    this.#breathing++;
    this.#options.onBreathing();
    try {
      return await act();
    } finally {
      this.#breathing--;
    }
  }

  /** The process goes on: only the reading of what has changed since the last, and of little that is new, is waited for. */
  save(p: Resident, hurries = false): void {
    const { inOrder, onFailure } = this.#options;
    const underWay = this.#saving.get(p.key);
    if (underWay) underWay.hurries ||= hurries;
    if (p.untold && !hurries) p.untold.savesThen = !p.untold.isSaved;
    if (underWay || (p.untold && !hurries)) return; // that will do, or comes first
    const time = this.#ownTime();
    const saving: Saving = { hurries, written: undefined };
    this.#saving.set(p.key, saving);
    const reading = this.#readAhead(p, time.breathe);
    if (!reading) return this.#write(p, saving, time);
    reading
      .catch((error) => onFailure(p.key, error))
      // It may have forked meanwhile, and its home does not know that yet.
      .finally(() =>
        inOrder(p.key, (isHere) => {
          if (isHere) this.#write(p, saving, time);
          else this.#saving.delete(p.key);
        }),
      );
  }

  /** A mebibyte at a time. Undefined where there is little to read. */
  #readAhead(p: Resident, breathe: () => Promise<void>): Promise<void> | undefined {
    const steps = async () => {
      do await breathe();
      while (p.machine.readAhead());
    };
    return p.machine.readAhead() ? steps() : undefined;
  }

  #write(p: Resident, saving: Saving, { breathe, ms }: OwnTime): void {
    const { report, onFailure } = this.#options;
    const { key } = p;
    saving.written = this.#encode(p, { breathe })
      .then(({ snapshot, images }) => {
        const tookMs = ms();
        const tell = (images: EncodedImage[]) => {
          const learned = snapshot ? p.learned.lettersBefore(snapshot) : NOTHING_LEARNED;
          report({ type: "snapshot", key, why: "save", snapshot, images, learned, tookMs });
          if (snapshot) p.learned.forgetBefore(snapshot);
        };
        const bytesMax = saving.hurries ? Number.POSITIVE_INFINITY : LIMITS.aheadBytes;
        this.announce(p, images, bytesMax, tell, true);
      })
      .catch((error) => onFailure(key, error))
      .finally(() => this.#saving.delete(key));
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

  /**
   * Tells the home of a snapshot; if its images are more than `bytesMax`, they go ahead, and it is told when they are there. One at a
   * time: what a home leaves lying is not added to.
   */
  announce(
    p: Resident,
    images: EncodedImage[],
    bytesMax: number,
    tell: (images: EncodedImage[]) => void,
    isSaved = false,
  ): void {
    const last = images.at(-1)?.id;
    if (bytesOf(images) <= bytesMax || p.wentAhead || !last) return tell(images);
    p.untold = { images, tell, isSaved, savesThen: false, answers: 0, answersBytes: 0 };
    p.wentAhead = last;
    this.#options.report({ type: "ahead", key: p.key, images });
  }

  /** The home has what went ahead, up to this image. */
  arrived(p: Resident, image: ImageId): void {
    if (image !== p.wentAhead) return;
    const savesThen = p.untold?.savesThen;
    p.wentAhead = undefined;
    this.tell(p, []);
    if (savesThen) this.#options.inOrder(p.key, (isHere) => isHere && this.save(p));
  }

  /** The home has answered. It keeps that until it is told of a later snapshot, and must not have to keep too much. */
  answered(p: Resident, answer: Uint8Array): void {
    const { untold } = p;
    if (!untold) return;
    untold.answers++;
    untold.answersBytes += answer.length;
    if (untold.answers > LIMITS.logEntries || untold.answersBytes > LIMITS.logBytes) this.tell(p);
  }

  /** Tells at once what is not told yet, if anything is. */
  tell(p: Resident, images = p.untold?.images ?? []): void {
    const { untold } = p;
    p.untold = undefined;
    untold?.tell(images);
  }

  /** The memory is read before this returns; and what the snapshot continues is told. */
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
