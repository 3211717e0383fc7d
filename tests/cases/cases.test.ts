import { expect, test } from 'vitest';
import { BACKENDS, type BackendCase } from '../backends.ts';
import { runKeras } from './keras.ts';
import { runOnnxCase } from './onnx.ts';
import { runPytorch } from './pytorch.ts';
import { recordedFiles, type Recorded } from './recorded.ts';
import { runSituation, situations } from './situations.ts';
import { runTextbook } from './textbook.ts';

function familyOf({ file, meta }: Recorded): (recorded: Recorded, backend: BackendCase) => Promise<void> {
  if (file.endsWith('.onnx')) return runOnnxCase;
  if (/\.(keras|h5|json)$/.test(file)) return runKeras;
  if (/\.(pt|pth)$/.test(file)) return runPytorch;
  return (meta.class ?? '').includes('three Dense') ? runTextbook : runPytorch;
}

const cases = [
  ...recordedFiles().map((recorded) => ({
    label: recorded.label,
    run: (backend: BackendCase) => familyOf(recorded)(recorded, backend),
  })),
  ...situations().map((situation) => ({
    label: situation.label,
    run: (backend: BackendCase) => runSituation(situation, backend),
  })),
];

test('there are cases', () => {
  expect(cases.length).toBeGreaterThan(200);
});

test.each(cases.flatMap((one) => BACKENDS.map((backend) => ({ ...one, backend, name: backend.name }))))(
  '$label on $name',
  async ({ run, backend }) => {
    await run(backend);
  },
);
