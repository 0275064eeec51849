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
    start(): void;
    stop(): void;
  }
}
