/** How others come here: the page's address, to copy, or to photograph. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

/** With the part after "#": it may name a group. */
const ADDRESS = () => location.href;
const isThisMachine = () => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export function Invite() {
  const box = useRef<HTMLDivElement>(null);
  const code = useSignal("");
  const copied = useSignal(false);
  const open = async () => {
    copied.value = false;
    box.current?.showPopover();
    const { renderSVG } = await import("uqr");
    code.value = `data:image/svg+xml,${encodeURIComponent(renderSVG(ADDRESS(), { border: 2 }))}`;
  };
  return (
    <>
      <button type="button" class="second quiet" data-testid="invite" onClick={open}>
        Invite…
      </button>
      <div ref={box} popover="auto" class="menu invite" role="dialog" aria-label="Invite others">
        <p>
          Whoever opens this address can give a tab, or launch programs on those that are given.
          {isThisMachine() &&
            " “localhost” is this machine alone: for others, open the page by its name or address."}
        </p>
        {code.value && <img src={code.value} width={180} height={180} alt="The address as a QR code" />}
        <p class="row">
          <code data-testid="invite-address">{ADDRESS()}</code>
          <button
            type="button"
            class="second"
            onClick={async () => {
              await navigator.clipboard?.writeText(ADDRESS());
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
