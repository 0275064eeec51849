/** How others come here: the page's address, to copy, or to photograph; and the way into a group, and out of it. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { groupInAddress, invitationTo, newGroup } from "../address.ts";
import { Copyable } from "./copyable.tsx";

const ADDRESS = () => invitationTo(location);
const isThisMachine = () => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export function Invite() {
  const box = useRef<HTMLDivElement>(null);
  const code = useSignal("");
  const inGroup = groupInAddress(location) !== undefined;
  const open = async () => {
    box.current?.showPopover();
    const { renderSVG } = await import("uqr");
    code.value = `data:image/svg+xml,${encodeURIComponent(renderSVG(ADDRESS(), { border: 2 }))}`;
  };
  return (
    <>
      <button type="button" class="second quiet" data-testid="invite" onClick={open}>
        {inGroup ? "Invite to this group…" : "Invite…"}
      </button>
      <div ref={box} popover="auto" class="menu invite" role="dialog" aria-label="Invite others">
        <p>
          {inGroup
            ? "Whoever opens this address is in the group, and nobody else: its members serve each other alone. Keep it as a password."
            : "Whoever opens this address can give a tab, or launch programs on those that are given."}
          {isThisMachine() &&
            " “localhost” is this machine alone: for others, open the page by its name or address."}
        </p>
        {code.value && <img src={code.value} width={180} height={180} alt="The address as a QR code" />}
        <Copyable words={ADDRESS()} testId="invite-address" />
        <p class="row">
          <span class="label">
            {inGroup
              ? "Outside of it you deal with everybody on this relay."
              : "A group has an address of its own, and deals with nobody who does not have it."}{" "}
            The page opens anew: jobs go on, donating ends.
          </span>
          <button
            type="button"
            class="second"
            data-testid={inGroup ? "leave-group" : "make-group"}
            onClick={() => {
              location.hash = inGroup ? "" : newGroup(); // the page opens anew with it
            }}
          >
            {inGroup ? "Leave it" : "Make a group"}
          </button>
        </p>
      </div>
    </>
  );
}
