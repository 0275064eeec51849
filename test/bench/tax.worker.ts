/** The worker of the page that browsers.ts serves: measures the engine's tax, and posts the result back. */
import { measureTax } from "./tax.ts";

try {
  const [engine, stock] = await Promise.all([
    fetch("/engine.wasm").then((answer) => answer.arrayBuffer()),
    WebAssembly.compileStreaming(fetch("/stock.wasm")),
  ]);
  const result = await measureTax(new Uint8Array(engine), stock);
  await fetch("/result", { method: "POST", body: JSON.stringify(result) });
} catch (error) {
  await fetch("/error", { method: "POST", body: String(error) });
}
