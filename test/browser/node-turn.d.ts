declare module "node-turn" {
  /** A STUN and TURN server over UDP. */
  export default class Turn {
    constructor(options: {
      listeningIps: string[];
      relayIps: string[];
      listeningPort: number;
      authMech: "long-term";
      credentials: Record<string, string>;
    });
    readonly allocations: Record<string, { sockets: import("node:dgram").Socket[]; timer: NodeJS.Timeout }>;
    start(): void;
    stop(): void;
  }
}
