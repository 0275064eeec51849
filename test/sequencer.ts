/** Files that mostly wait begin first, lest everybody waits for them in the end; the others as vitest has it, the largest first. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const PATIENT = /command-(sensors|donate|steer|terminal)/;

export default class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const [patient, others] = [true, false].map((waits) =>
      files.filter(({ moduleId }) => PATIENT.test(moduleId) === waits),
    );
    return [...(patient ?? []), ...(await super.sort(others ?? []))];
  }
}
