/** Made by vite.config.ts. */
declare module "virtual:roost-guest" {
  /** The guest library (fabric/guest) as one ES module's text. */
  export const GUEST_LIBRARY: string;
}
