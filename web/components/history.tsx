/** What this browser has given so far. */
import { add, type Given, NOTHING_GIVEN } from "../history.ts";
import type { Model } from "../model.ts";
import { bytes, count, duration } from "../words.ts";

export function History({ model }: { model: Model }) {
  const days = model.owner.history.value.filter((day) => day.givenMs > 0 || day.hosted > 0);
  const [today] = days.slice(-1);
  if (!today) return null;
  const all = days.reduce<Given>((sum, day) => add(sum, day), NOTHING_GIVEN);
  const most = Math.max(...days.map((day) => day.cpuMs), 1);
  return (
    <details class="history" data-testid="history">
      <summary>
        Given so far{" "}
        <span class="label">
          {duration(all.cpuMs)} of CPU to {count(all.hosted, "process", "processes")}
        </span>
      </summary>
      <table>
        <thead>
          <tr>
            <th scope="col">day</th>
            <th scope="col">given</th>
            <th scope="col">CPU</th>
            <th scope="col" class="number">
              hosted
            </th>
            <th scope="col" class="number">
              sent away
            </th>
            <th scope="col" class="number">
              traffic
            </th>
          </tr>
        </thead>
        <tbody>
          {days.toReversed().map((day) => (
            <tr key={day.date}>
              <th scope="row">{day.date.slice(5)}</th>
              <td>{duration(day.givenMs)}</td>
              <td>
                <span class="bar" style={{ "--part": day.cpuMs / most }}>
                  {duration(day.cpuMs)}
                </span>
              </td>
              <td class="number">{day.hosted}</td>
              <td class="number">{day.sentAway}</td>
              <td class="number">{bytes(day.trafficBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
