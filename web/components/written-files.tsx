/** Files the job has written, to be taken home; pictures among them are shown. */
import { useMemo } from "preact/hooks";
import type { Model } from "../model.ts";
import { pixmap } from "../result.ts";
import type { Run, WrittenFile } from "../run.ts";
import { bytes, count } from "../words.ts";
import { ImageView, PictureView, saveBlob } from "./result.tsx";

const PICTURES_SHOWN = 4;
const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};
const NETPBM = /\.p[gpn]m$/i;

export function WrittenFiles({ model, run }: { model: Model; run: Run }) {
  void model.view.value; // a job writes between prints, too
  const files = run.written();
  if (files.length === 0) return null;
  const size = files.reduce((sum, file) => sum + file.content.length, 0);
  const pictures = files.filter(({ path }) => typeOf(path) || NETPBM.test(path)).slice(0, PICTURES_SHOWN);
  return (
    <>
      {pictures.map((file) => (
        <WrittenPicture key={`${run.id} ${file.path}`} file={file} />
      ))}
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
                onClick={() => saveBlob(new Blob([file.content.slice()]), nameOf(file.path))}
              >
                {file.path}
              </button>
              <span class="label">{bytes(file.content.length)}</span>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
const typeOf = (path: string) => TYPES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];

function WrittenPicture({ file }: { file: WrittenFile }) {
  const { path, content } = file;
  const drawn = useMemo(() => (NETPBM.test(path) ? pixmap(content) : undefined), [path, content.length]);
  if (drawn) return <PictureView picture={drawn} />;
  const type = typeOf(path);
  if (!type) return null;
  return (
    <div data-testid={`picture-${path}`}>
      <ImageView bytes={content} type={type} alt={`What the job wrote to ${path}`} />
    </div>
  );
}
