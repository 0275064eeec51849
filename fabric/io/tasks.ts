/** Tasks without the delays that timers have in pages. */
const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;
let isPlanned = false;

/** What is there when a task begins is run by that task, in the order of the calls; what comes of it by the next. */
export function inNextTask(run: () => void): void {
  waiting.push(run);
  plan();
}

/** The channel is made when first used, so that importing this keeps no process alive. */
function plan(): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = runAll;
  }
  if (waiting.length === 0) return release(channel.port1);
  if (isPlanned) return;
  isPlanned = true;
  hold(channel.port1);
  channel.port2.postMessage(0);
}

function runAll(): void {
  isPlanned = false;
  try {
    for (let left = waiting.length; left > 0; left--) waiting.shift()?.();
  } finally {
    plan(); // also where one failed: the others come all the same
  }
}

/** Node's ports keep the process alive unless told not to; browsers' have no such method. */
const release = (port: MessagePort | undefined) => (port as { unref?: () => void } | undefined)?.unref?.();
const hold = (port: MessagePort) => (port as { ref?: () => void }).ref?.();
