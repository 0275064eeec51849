/** Files the job has written, to be taken home. */
import type { Launch, WrittenFile } from "../launch.ts";
import type { Model } from "../model.ts";
import { bytes, count } from "../words.ts";

export function WrittenFiles({ model, launch }: { model: Model; launch: Launch }) {
  void model.view.value; // a job writes between prints, too
  const files = launch.written();
  if (files.length === 0) return null;
  const size = files.reduce((sum, file) => sum + file.content.length, 0);
  return (
    <details class="written" data-testid="written" data-count={files.length}>
      <summary>
        {count(files.length, "file")} written <span class="label">{bytes(size)}</span>
      </summary>
      <ul class="scroll">
        {files.map((file) => (
          <li key={file.path}>
            <button
              type="button"
              class="quiet"
              title={`Save ${file.path}`}
              data-testid={`file-${file.path}`}
              onClick={() => save(file)}
            >
              {file.path}
            </button>
            <span class="label">{bytes(file.content.length)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function save({ path, content }: WrittenFile): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content.slice()]));
  link.download = path.slice(path.lastIndexOf("/") + 1);
  link.click();
  // The download has its own hold on the bytes once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
