import { expect, test } from 'vitest';
import { BACKENDS, type BackendCase } from '../backends.ts';
import { runKeras } from './keras.ts';
import { runOnnxCase } from './onnx.ts';
import { runPytorch } from './pytorch.ts';
import { runPytorchLine } from './pytorch-lines.ts';
import { recordedFiles, type Recorded } from './recorded.ts';
import { runTextbook } from './textbook.ts';

function familyOf({ file, meta }: Recorded): (recorded: Recorded, backend: BackendCase) => Promise<void> {
  if (file.endsWith('.onnx')) return runOnnxCase;
  if (/\.(keras|h5|json)$/.test(file)) return runKeras;
  if (/\.(pt|pth)$/.test(file)) return meta.class === undefined ? runPytorchLine : runPytorch;
  return (meta.class ?? '').includes('three Dense') ? runTextbook : runPytorch;
}

const files = recordedFiles();

test('there are cases', () => {
  expect(files.length).toBeGreaterThan(200);
});

test.each(files.flatMap((recorded) => BACKENDS.map((backend) => ({ ...recorded, backend, name: backend.name }))))(
  '$label on $name',
  async ({ backend, ...recorded }) => {
    await familyOf(recorded)(recorded, backend);
  },
);
