/** A binary tree of processes, six levels below the root: each is the parent of two, and counts what is below it. */
import { exit, fork, getpid, getppid, waitpid } from "roost";

const DEPTH = Number(process.argv[2] ?? 6);

/** Nodes, and the pids on the way down, of the subtree that this process is the root of. */
function grow(depth, path) {
  if (depth === DEPTH) return { nodes: 1, leaves: [path] };
  const children = ["0", "1"].map((turn) => {
    const parent = getpid();
    const pid = fork();
    if (pid !== 0) return pid;
    if (getppid() !== parent) exit(1);
    return exit(0, grow(depth + 1, path + turn));
  });
  const below = children.map((pid) => waitpid(pid).value);
  return {
    nodes: 1 + below.reduce((sum, { nodes }) => sum + nodes, 0),
    leaves: below.flatMap(({ leaves }) => leaves),
  };
}

const { nodes, leaves } = grow(0, "");
console.log(`${nodes} processes, ${leaves.length} leaves`);
console.log(leaves.join(" "));
