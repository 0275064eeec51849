/** What a job has come to: its exit value, or output that is data, as a picture, a table or JSON. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Model } from "../model.ts";
import { type Picture, type Result, resultInText, resultOf, type Table } from "../result.ts";
import type { Run } from "../run.ts";
import { count } from "../words.ts";

export function ResultPanel({ model, run }: { model: Model; run: Run }) {
  const ended = model.job.value?.endedMs !== undefined;
  const version = model.outputVersion.value;
  const result = useMemo(() => {
    if (!ended) return undefined;
    const out = run.lines.filter((line) => line.stream === "out");
    return resultOf(run.value) ?? resultInText(out.map((line) => line.text).join("\n"));
  }, [run, ended, version]);
  if (!result) return null;
  return (
    <section class="result" aria-labelledby="result-title" data-testid="result" data-kind={result.kind}>
      <Shown key={run.id} result={result} />
    </section>
  );
}

function Shown({ result }: { result: Result }) {
  const asJson = useSignal(false);
  const isTable = result.kind === "table";
  return (
    <>
      <div class="title-row">
        <h3 id="result-title" class="label">
          Result
        </h3>
        {isTable && (
          <button
            type="button"
            class="quiet second"
            onClick={() => {
              asJson.value = !asJson.value;
            }}
          >
            {asJson.value ? "as a table" : "as JSON"}
          </button>
        )}
      </div>
      {result.kind === "picture" && <PictureView picture={result.picture} />}
      {result.kind === "image" && (
        <ImageView bytes={result.bytes} type={result.type} alt="What the job came to" />
      )}
      {isTable && !asJson.value && <TableView table={result.table} />}
      {(result.kind === "data" || result.kind === "text" || (isTable && asJson.value)) && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre class="json scroll" tabIndex={0}>
          {result.kind === "text" ? result.text : result.json}
        </pre>
      )}
    </>
  );
}

export function PictureView({ picture }: { picture: Picture }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, rgba } = picture;
  useEffect(() => {
    canvas.current?.getContext("2d")?.putImageData(new ImageData(rgba, width, height), 0, 0);
  }, [picture]);
  return (
    <figure class="picture">
      <canvas
        ref={canvas}
        width={width}
        height={height}
        role="img"
        aria-label={`A picture of ${width} by ${height} pixels`}
      />
      <figcaption>
        <span class="label">
          {width} × {height}
        </span>
        <button
          type="button"
          class="quiet second"
          onClick={() => canvas.current && savePicture(canvas.current)}
        >
          Save as PNG
        </button>
      </figcaption>
    </figure>
  );
}

/** A file that the browser knows how to show. */
export function ImageView({ bytes, type, alt }: { bytes: Uint8Array; type: string; alt: string }) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes.slice()], { type }));
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [type, bytes.length]);
  if (!address) return null;
  return (
    <figure class="picture">
      <img src={address} alt={alt} />
      <figcaption class="label">{alt}</figcaption>
    </figure>
  );
}

function savePicture(canvas: HTMLCanvasElement): void {
  canvas.toBlob((blob) => blob && saveBlob(blob, "picture.png"), "image/png");
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on the bytes once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const isNumber = (cell = "") => /^-?[\d.]+$/.test(cell);

const TableView = ({ table }: { table: Table }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
  <div class="data-table scroll" tabIndex={0}>
    <table>
      <thead>
        <tr>
          {table.columns.map((column, n) => (
            <th key={column} scope="col" class={table.rows.every((row) => isNumber(row[n])) ? "number" : ""}>
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {table.rows.map((row, n) => (
          <tr key={n}>
            {row.map((cell, column) => (
              <td key={column} class={isNumber(cell) ? "number" : ""}>
                {cell}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
    {table.more > 0 && <p class="label">and {count(table.more, "more row")}</p>}
  </div>
);
