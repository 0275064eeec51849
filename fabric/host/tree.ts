/** A job's processes as a tree. What is looked at may be another's home, which may say anything. */

interface Member {
  readonly pid: number;
  readonly ppid: number;
}

/** Each with its depth, children after their parent, in the order in which they are given; who has no parent there is at the top. */
export function treeOf<P extends Member>(processes: readonly P[]): { process: P; depth: number }[] {
  const known = new Set(processes.map(({ pid }) => pid));
  const children = new Map<number, P[]>();
  for (const process of processes) {
    const { pid, ppid } = process;
    const parent = known.has(ppid) && ppid !== pid ? ppid : 0;
    const siblings = children.get(parent);
    if (siblings) siblings.push(process);
    else children.set(parent, [process]);
  }
  const rows: { process: P; depth: number }[] = [];
  const takeChildren = (parent: number) => {
    const taken = children.get(parent) ?? [];
    children.delete(parent); // a tree that bites its tail does not go round
    return taken.values();
  };
  const path = [takeChildren(0)];
  for (let siblings = path.at(-1); siblings; siblings = path.at(-1)) {
    const { done, value: process } = siblings.next();
    if (done) path.pop();
    else {
      rows.push({ process, depth: path.length - 1 });
      path.push(takeChildren(process.pid));
    }
  }
  return rows;
}
