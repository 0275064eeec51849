/**
 * A Firefox with one page, driven by WebDriver BiDi (W3C) over its own socket: Playwright drives only a Firefox of its
 * own build. As much of the protocol as the tests need.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { WebSocket } from "ws";

const PREFERENCES = {
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
  "app.update.enabled": false,
};

interface Reply {
  readonly id?: number;
  readonly type: string;
  readonly message?: string;
  readonly result?: Record<string, unknown>;
}

export class Firefox {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #context = "";
  #calls = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.on("message", (data) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async start(executable: string): Promise<Firefox> {
    const profile = await mkdtemp(join(tmpdir(), "roost-firefox-"));
    const lines = Object.entries(PREFERENCES).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${value});`,
    );
    await writeFile(join(profile, "user.js"), lines.join("\n"));
    const process = spawn(
      executable,
      ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const address = await new Promise<string>((resolve, reject) => {
      process.once("exit", (status) => reject(new Error(`Firefox ended with ${status} before it was ready`)));
      process.stderr?.on("data", (data) => {
        const [, found] = /WebDriver BiDi listening on (ws:\S+)/.exec(String(data)) ?? [];
        if (found) resolve(found);
      });
    });
    const socket = new WebSocket(`${address}/session`);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const firefox = new Firefox(process, profile, socket);
    await firefox.#call("session.new", { capabilities: {} });
    const { contexts } = await firefox.#call("browsingContext.getTree");
    firefox.#context = (contexts as { context: string }[])[0]?.context ?? "";
    return firefox;
  }

  async goto(url: string): Promise<void> {
    await this.#call("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }

  /** The value of an expression in the page, if it is a string, number or boolean. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#call("script.evaluate", {
      expression,
      target: { context: this.#context },
      awaitPromise: true,
    });
    return (result as { value?: unknown } | undefined)?.value;
  }

  /** What stands in the element of this test id; polls. */
  text(testId: string) {
    const expression = `document.querySelector('[data-testid="${testId}"]')?.innerText ?? ""`;
    return expect.poll(() => this.evaluate(expression), { timeout: 30_000 });
  }

  async press(testId: string): Promise<void> {
    await this.evaluate(`document.querySelector('[data-testid="${testId}"]').click()`);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#socket.close();
    this.#process.kill();
    await ended;
    await rm(this.#profile, { recursive: true, force: true });
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        this.#waiting.delete(id);
        if (reply.type === "error") reject(new Error(`${method}: ${reply.message}`));
        else resolve(reply.result ?? {});
      });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
