/** What is used here of packages that bring no types. */
declare module "fengari" {
  interface State {
    readonly state: unique symbol;
  }
  export const lua: { lua_tostring(state: State, index: number): Uint8Array };
  export const lauxlib: {
    luaL_newstate(): State;
    luaL_dostring(state: State, text: Uint8Array): boolean;
  };
  export const lualib: { luaL_openlibs(state: State): void };
  export function to_luastring(text: string): Uint8Array;
  export function to_jsstring(text: Uint8Array): string;
}
declare module "prismjs" {
  interface Grammar {
    readonly grammar: unique symbol;
  }
  const Prism: {
    readonly languages: Record<"javascript" | "css" | "markup", Grammar>;
    highlight(text: string, grammar: Grammar, language: string): string;
  };
  export default Prism;
}
