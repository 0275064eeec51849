/** The file that waits longest begins first, lest everybody waits for it in the end; the others as vitest has it, the largest first. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const waitsLong = ({ moduleId }: TestSpecification) => /command-sensors/.test(moduleId);

export default class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files.filter((file) => !waitsLong(file)));
    return [...files.filter(waitsLong), ...others];
  }
}
