/** Every limit, with the reason for its number. Units are in the names. */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** A fork bomb ends here (EAGAIN), unless its job asks for more. A process that sleeps costs host and home 40 KiB, and what it has of its own. */
  processesPerJob: 1_024,
  /** More than this no job gets: its home remembers them all, and so does the one host that has them. */
  processesPerJobMost: 16_384,
  /** What one host takes of all others' jobs together, running and blocked. Only some have an instance at a time. */
  processesPerHost: 256,
  /** A guest's linear memory unless its job asks for another: over it, allocations fail inside the guest (ENOMEM). */
  guestMemoryBytes: 128 * MIB,
  /** More than this no host gives a process, whatever its job asks for. */
  guestMemoryBytesMost: 1024 * MIB,
  /** A program's text. The largest compilers bundle to about 10 MB. */
  programBytes: 16 * MIB,
  /** One message on a link, images included: a full guest memory, hardly compressible, and its log. */
  messageBytes: 192 * MIB,
  /** A link's first message: who somebody says to be, and his proof of it. */
  firstMessageBytes: 64 * KIB,
  /**
   * What one participant holds of messages of which a part is missing, on all links together: room for eight of the usual memory at once that
   * cannot be compressed, half there on average, and a fraction of what ends a tab. Strangers could leave one of the largest at each link.
   */
  unfinishedBytes: 512 * MIB,
  /** What a process may be when it is placed, images and log: leaves room in a message for its program and the rest. */
  placedBytes: 160 * MIB,
  /** All images of a chain, most of which is sent seldom: where the largest possible could be too much, it is begun anew. A host that sends more does not mean well. */
  chainBytes: 640 * MIB,
  /** Images in a chain, each holding what changed since the one before; then it goes on from its first, or, where that would be much, for longer. */
  imageChain: 8,
  /** A large image is written in parts of this much memory, each some milliseconds of work; of more memory, where there would be more parts than the next. */
  imagePartBytes: 2 * MIB,
  imageParts: 32,
  /** Images a host keeps for one home, so that they need not be sent again; beyond it, it forgets them all. */
  imageCacheBytes: 256 * MIB,
  /** Links of one participant to a host: each of its jobs has one, and may have another before it is seen that the first has ended. */
  linksPerPeer: 64,
  /** The argument or answer of one system call: a large file written whole. */
  callBytes: 32 * MIB,
  /** The data in such an argument or answer: what is left beside a path, numbers and tags. */
  dataBytes: 32 * MIB - 16 * KIB,
  /** Arguments of a program. */
  args: 4094,
  /** Environment variables of a job. */
  environment: 1024,
  /** What a host, a job or a program is called. */
  nameBytes: 256,
  /** What a process has printed and sent without waiting, and the home has not confirmed: beyond it, both block. */
  postedBytes: 1 * MIB,
  /** A process that has computed this long since its last snapshot is asked for one, or later where that costs much. */
  checkpointEveryMs: 2_000,
  /** A process of at least so much memory is copied before it is frozen for a move; a smaller one travels in a few milliseconds. */
  precopyBytes: 4 * MIB,
  /** Rounds of that after which one that changes its memory as fast as it travels is frozen all the same. 0: it is stopped, and then copied. */
  precopyRounds: 8,
  /** Images of more than this go ahead of the snapshot that they are of, and other messages ahead of them. */
  aheadBytes: 64 * KIB,
  /** The same of a process that stands still for it, because it forks or is to be placed: it waits for one way there and back more. */
  aheadOfStandingBytes: 256 * KIB,
  /** A process of which more has to be unpacked lets others run meanwhile: this takes some ten milliseconds. */
  readAtOnceBytes: 1 * MIB,
  /** What may be left to travel while it is frozen. */
  precopyRestBytes: 64 * KIB,
  /** A round that takes longer leaves too much time for memory to change, however little it brought. */
  precopyRoundMs: 25,
  /** A host tells what a process uses when it has computed so long since it last did. */
  usageEveryMs: 200,
  /** What was made ready for a process that was to come, and did not, is dropped after this. */
  preparedMs: 10_000,
  /** Answers the home keeps for a process since its last image; beyond it, it asks for a fresh image. */
  logBytes: 8 * MIB,
  /** Same, in answers: replaying 20,000 calls takes well under a second. */
  logEntries: 20_000,
  /** A host that has let the log grow to this many times that, without the image asked for, does not mean to send one. */
  logPatience: 16,
  /** Of a kept job's output, so much is written with the job each time; what is older, once. */
  outputPartBytes: 64 * KIB,
  /** Ended processes that a job remembers, for its author to see. */
  endedKept: 1_000,
  /** Stays on hosts that a process remembers: one that moves at every poll has thousands a minute. */
  staysKept: 100,
  /** Letters that wait in a process's mailbox: beyond them, who sends to it waits. */
  mailboxLetters: 65_536,
  /** The same, in bytes: one of the largest always fits. */
  mailboxBytes: 32 * MIB,
  /** Letters that a host hands over between its own processes go before others for so long at a time; and so many bytes to one process. */
  handedMs: 20,
  handedBytes: 1 * MIB,
  /** Groups of a job. */
  groups: 4_096,
  /** A job's tuples, in all. */
  spaceBytes: 64 * MIB,
  /** Of one tuple. */
  tupleFields: 64,
  /** Answers to file calls that hosts keep and give again, of one job; beyond them, no more are given out to keep. */
  cachedBytes: 64 * MIB,
  /** For how long: what a stranger to the job changes in its directory is seen no later. NFS clients wait 3 to 60 s. */
  cachedMs: 2_000,
  /** Open files of one process. */
  openFiles: 256,
  /** A path in a system call. Linux has 4,096 too. */
  pathBytes: 4096,
  /** How long a process runs before the next one of the same worker gets its turn. */
  sliceMs: 10,
  /** Same, between two steps of writing down a process of that worker: about as long as such a step takes. */
  sliceSavingMs: 3,
  /** Same, when the worker has been told something: an owner's wish, or the answer that another process waits for. */
  sliceLeastMs: 1,
  /** What a process posts leaves its worker while its slice lasts, as often as this. */
  crossingEveryMs: 1,
  /** A link that has been silent this long is asked for a sign of life. */
  heartbeatMs: 400,
  /** Silent this long, down to the packets of its network, the other side is taken for dead: two seconds at most after it was. Chromium alone would need 5–30 s. */
  silenceMs: 1_600,
  /** A page that computes, or shows a dialog, says nothing, though its browser confirms what is sent: as good as dead after this. */
  muteMs: 20_000,
  /** From a link to the other side's greeting. */
  greetingMs: 10_000,
  /** A reclaimed host drops what its home has not taken over by then; the home starts it again from its last image. */
  evictionMs: 10_000,
  /** A worker that does not answer for this long is stuck in something that cannot be interrupted: it is ended. */
  stuckMs: 10_000,
  /** Same, when the machine's owner wants it back. */
  haltMs: 2_000,
  /** A host that has not begun to run a process, or not sent it back, by then does not mean to. Large images take minutes on slow lines. */
  patienceMs: 300_000,
  /** A process whose hosts died or failed this often while it ran, and came no further meanwhile, is given up as poisonous. */
  hostsLostPerProcess: 3,
} as const;

/** What a job with this limit asks of every host for each process. One with the usual limit asks for nothing: it may well use little. */
export const askedBytes = (memoryBytesMax: number): number =>
  memoryBytesMax > LIMITS.guestMemoryBytes ? memoryBytesMax : 0;
