/** How a job of this page is looked at and steered from a terminal: the command, to copy. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Launch } from "../launch.ts";

export function SteerFromTerminal({ launch }: { launch: Launch }) {
  const box = useRef<HTMLDivElement>(null);
  const copied = useSignal(false);
  const command = `npx roost top ${launch.address} --relay ${location.origin}`;
  const open = () => {
    copied.value = false;
    box.current?.showPopover();
  };
  return (
    <>
      <button type="button" class="second quiet" data-testid="steer" onClick={open}>
        In a terminal…
      </button>
      <div ref={box} popover="auto" class="menu invite" role="dialog" aria-label="Steer from a terminal">
        <p>
          Shows this job in a terminal; with the same address, <code>logs</code>, <code>why</code>,{" "}
          <code>kill</code>, <code>migrate</code> and <code>checkpoint</code> act on it. Whoever has the
          address can do that: keep it as a password.
        </p>
        <p class="row">
          <code data-testid="steer-command">{command}</code>
          <button
            type="button"
            class="second"
            onClick={async () => {
              await navigator.clipboard?.writeText(command);
              copied.value = true;
            }}
          >
            {copied.value ? "Copied" : "Copy"}
          </button>
        </p>
      </div>
    </>
  );
}
