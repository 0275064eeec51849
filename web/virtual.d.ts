/** Made by vite.config.ts. */
declare module "*?program" {
  /** A job program with everything it imports, as one ES module's text; only "roost" stays imported. */
  const source: string;
  export default source;
}
