/**
 * The editor for a person's own program: a chunk of its own, loaded when somebody writes. Lives in a shadow root, where
 * its style sheets are constructed ones: the page's policy allows no inline styles.
 */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript, javascriptLanguage, localCompletionSource } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Fault } from "../faults.ts";
import { completeNames, helpLook, helpUnderPointer } from "./help.ts";

export interface EditorHandle {
  /** Shows another text, unless it is what is shown. */
  show(text: string): void;
  mark(faults: readonly Fault[]): void;
  focus(): void;
  close(): void;
}

export interface EditorOptions {
  readonly text: string;
  readonly label: string;
  readonly onInput: (text: string) => void;
  readonly onRun: () => void;
}

const LOOK = EditorView.theme({
  "&": {
    fontSize: "0.85rem",
    color: "var(--ink)",
    backgroundColor: "var(--sunken)",
    borderRadius: "8px",
    border: "1px solid var(--line)",
  },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5", maxHeight: "28rem", minHeight: "14rem" },
  ".cm-content": { caretColor: "var(--ink)", padding: "8px 0" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--muted)", border: "0" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--ink) 5%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--focus) 26%, transparent) !important",
  },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--give) 25%, transparent) !important" },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    color: "var(--ink)",
    border: "1px solid var(--line)",
    borderRadius: "8px",
    overflow: "hidden",
    boxShadow: "0 8px 30px rgb(0 0 0 / 0.2)",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--give)", color: "var(--give-ink)" },
  ".cm-completionDetail": { color: "inherit", opacity: "0.7" },
  ".cm-diagnostic": { borderLeftColor: "var(--bad)", color: "var(--ink)" },
});

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.controlKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: "var(--code-call)" },
]);

/**
 * What is typed over a selection goes into the text at once. Left to the browser, it would be typed into the document
 * first, in an element with an inline style that stands for what was selected, and the page's policy complains of that.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { main, ranges } = view.state.selection;
    const { data, inputType } = event;
    if (inputType !== "insertText" || data === null || main.empty || ranges.length > 1) return false;
    const typed = () =>
      view.state.update(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
    const handlers = view.state.facet(EditorView.inputHandler); // brackets around what is selected, for one
    if (!handlers.some((handle) => handle(view, main.from, main.to, data, typed))) view.dispatch(typed());
    event.preventDefault();
    return true;
  },
});

export function mountEditor(host: HTMLElement, options: EditorOptions): EditorHandle {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.replaceChildren();
  const run = () => {
    options.onRun();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        keymap.of([{ key: "Mod-Enter", run }]),
        lineNumbers(),
        typedOver,
        highlightSpecialChars(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        lintGutter(),
        javascript(),
        javascriptLanguage.data.of({ autocomplete: localCompletionSource }),
        javascriptLanguage.data.of({ autocomplete: completeNames }),
        autocompletion(),
        helpUnderPointer,
        helpLook,
        LOOK,
        syntaxHighlighting(COLOURS),
        // Tab leaves the editor, as it leaves every other field.
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.contentAttributes.of({
          "data-testid": "source",
          "aria-label": options.label,
          tabindex: "0",
          autocapitalize: "off",
          spellcheck: "false",
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onInput(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    show(text) {
      if (view.state.doc.toString() === text) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    mark(faults) {
      const { doc } = view.state;
      const diagnostics = faults
        .filter(({ line }) => line >= 1 && line <= doc.lines)
        .map(({ line, message }) => {
          const { from, to, text } = doc.line(line);
          const indent = text.length - text.trimStart().length;
          return { from: from + indent, to, severity: "error" as const, message };
        });
      const [first] = diagnostics;
      view.dispatch(setDiagnostics(view.state, diagnostics));
      if (first) view.dispatch({ effects: EditorView.scrollIntoView(first.from, { y: "center" }) });
    },
    focus: () => view.focus(),
    close: () => view.destroy(),
  };
}
