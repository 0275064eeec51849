/** Small programs to begin with. A chunk of its own: loaded with the editor. */
import ask from "./snippets/ask.js?raw";
import files from "./snippets/files.js?raw";
import fork from "./snippets/fork.js?raw";
import map from "./snippets/map.js?raw";
import messages from "./snippets/messages.js?raw";
import picture from "./snippets/picture.js?raw";
import space from "./snippets/space.js?raw";

export interface Snippet {
  readonly title: string;
  readonly source: string;
}

export const SNIPPETS: readonly Snippet[] = [
  { title: "fork and wait", source: fork },
  { title: "a list in parallel", source: map },
  { title: "a picture", source: picture },
  { title: "messages", source: messages },
  { title: "a tuple space", source: space },
  { title: "files", source: files },
  { title: "questions", source: ask },
];

export const FIRST_SNIPPET = fork;
