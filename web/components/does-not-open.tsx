/** In place of the page, where it cannot be what its address asks for. */
import { reasonOf } from "../model.ts";

export const DoesNotOpen = ({ error }: { error: unknown }) => (
  <section aria-labelledby="title">
    <h1 id="title">Roost</h1>
    <p class="trouble" role="alert">
      This address does not open: {reasonOf(error)}. Ask for the whole address, or{" "}
      <a href="/">go on without a group</a> and make one under “Invite…”.
    </p>
  </section>
);
