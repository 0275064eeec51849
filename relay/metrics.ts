/** The relay's figures, as Prometheus reads them. No host, name, address or payload is in them. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";

export interface Metrics {
  /** `code`: a code of the protocol, or of HTTP. */
  refused(where: "upgrade" | "directory" | "signalling", code: string): void;
  forwarded(type: string, bytes: number): void;
  readonly contentType: string;
  text(): Promise<string>;
}

/** `count` is asked when the figures are read. */
export function relayMetrics(count: () => { connections: number; hosts: number }): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register, prefix: "roost_relay_" });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge("roost_relay_connections", "Connections to the directory", () => count().connections);
  gauge("roost_relay_hosts", "Hosts on the list", () => count().hosts);
  const refusals = new Counter({
    name: "roost_relay_refusals_total",
    help: "Connections and messages turned away",
    labelNames: ["where", "code"],
    registers,
  });
  const signals = new Counter({
    name: "roost_relay_signals_total",
    help: "Messages forwarded between hosts that connect",
    labelNames: ["type"],
    registers,
  });
  const signalBytes = new Counter({
    name: "roost_relay_signal_bytes_total",
    help: "Bytes of these messages",
    registers,
  });
  return {
    refused: (where, code) => refusals.inc({ where, code }),
    forwarded(type, bytes) {
      signals.inc({ type });
      signalBytes.inc(bytes);
    },
    contentType: register.contentType,
    text: () => register.metrics(),
  };
}
