/**
 * WebRTC and WebSocket for Node, under the names that browsers have, so that `connectRelay` works there unchanged.
 * Nothing is loaded until it is asked for: the binary module keeps threads of its own.
 */
/** Who has asked for it and is not done: it is the whole process's. */
const users = new Set<object>();

/** Returns what says that one is done. When all are, WebRTC ends in this process; without that, Node does not exit by itself. */
export async function installNodeRtc(): Promise<() => void> {
  const user = {};
  users.add(user);
  const [native, rtc, { WebSocket }] = await Promise.all([
    import("node-datachannel"),
    import("node-datachannel/polyfill"),
    import("ws"),
  ]);
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = rtc;
  /** A browser's socket that nobody listens to fails quietly; Node's would end the process. `close` follows. */
  class QuietWebSocket extends WebSocket {
    constructor(url: string | URL) {
      super(url);
      this.on("error", () => {});
    }
  }
  /** Puts addresses and credentials into URLs as they are, where they mean something else. */
  class EscapedPeerConnection extends RTCPeerConnection {
    constructor(config: RTCConfiguration = {}) {
      const iceServers = config.iceServers?.map(({ urls: url, username = "", credential = "" }) => {
        const urls = [url].flat().map(withEscapedAddress);
        return username
          ? { urls, username: encodeURIComponent(username), credential: encodeURIComponent(credential) }
          : { urls };
      });
      super({ ...config, iceServers } as ConstructorParameters<typeof RTCPeerConnection>[0]);
    }
  }
  const globals = {
    WebSocket: QuietWebSocket,
    RTCPeerConnection: EscapedPeerConnection,
    RTCSessionDescription,
    RTCIceCandidate,
  };
  Object.assign(globalThis, globals);
  return () => {
    if (users.delete(user) && users.size === 0) native.cleanup();
  };
}

/** Of an IPv6 address, libdatachannel takes the first colon for what a port is behind, and the brackets for a part of it. */
const withEscapedAddress = (url: string) =>
  url.replace(/\[(.*)\]/, (_, address: string) => encodeURIComponent(address));
