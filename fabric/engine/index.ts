/** The engine: QuickJS as a machine that can stop anywhere, be written down, and go on elsewhere. See SNAPSHOT.md. */
export { type BaseImage, bootBase, type Prelude } from "./base-image.ts";
export { type Engine, loadEngine } from "./engine.ts";
export { decodeImage, encodeImage, type Image, imageId, memoryOf, type NamedImage } from "./image.ts";
export { Machine, type MachineOptions, type Program, type Stop, type World } from "./machine.ts";
