/** How a job of this page is looked at and steered from a terminal: the command, to copy. */
import { useRef } from "preact/hooks";
import type { Launch } from "../launch.ts";
import { Copyable } from "./copyable.tsx";

export function SteerFromTerminal({ launch }: { launch: Launch }) {
  const box = useRef<HTMLDivElement>(null);
  const command = `npx roost top ${launch.address} --relay ${location.origin}`;
  return (
    <>
      <button
        type="button"
        class="second quiet"
        data-testid="steer"
        onClick={() => box.current?.showPopover()}
      >
        In a terminal…
      </button>
      <div ref={box} popover="auto" class="menu invite" role="dialog" aria-label="Steer from a terminal">
        <p>
          Shows this job in a terminal; with the same address, <code>logs</code>, <code>why</code>,{" "}
          <code>kill</code>, <code>migrate</code> and <code>checkpoint</code> act on it. Whoever has the
          address can do that: keep it as a password.
        </p>
        <Copyable words={command} testId="steer-command" />
      </div>
    </>
  );
}
