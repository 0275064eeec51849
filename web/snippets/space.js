import { exit, fork, space, wait } from "roost";

// Linda's tuple space: workers take tasks from it and leave results in it, each at its own speed.
const words = "the quick brown fox jumps over the lazy dog".split(" ");
const workers = 3;
for (let n = 0; n < workers; n++)
  if (fork() === 0) {
    for (;;) {
      const [, at, word] = space.in("task", Number, String);
      if (at < 0) exit(0);
      space.out("result", at, [...word].reverse().join(""));
    }
  }
words.forEach((word, at) => {
  space.out("task", at, word);
});
const results = words.map((_, at) => space.in("result", at, String)[2]);
console.log(results.join(" "));
for (let n = 0; n < workers; n++) space.out("task", -1, "");
for (let n = 0; n < workers; n++) wait();
