import { readFileSync, rmSync } from 'node:fs';
import { at, main, run, UserError } from './lib.mjs';
import { setup } from './setup.mjs';

// The recorded cases alone, and those in the folders that GRU_CASES names: a line for each that fails, then the totals.
await main(async () => {
  await setup();
  const report = at('target', 'cases.json');
  rmSync(report, { force: true });
  const vitest = [at('node_modules', 'vitest', 'vitest.mjs'), 'run', '--reporter=json', `--outputFile=${report}`];
  let text = '';
  const onText = (piece) => (text += piece);
  await run(process.execPath, [...vitest, 'tests/cases'], { onText });
  let json;
  try {
    json = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    throw new UserError(`the cases did not run:\n${text}`);
  }
  for (const { message, assertionResults } of json.testResults) {
    if (assertionResults.length === 0) console.log(message);
    for (const { status, title, failureMessages } of assertionResults) {
      if (status === 'failed') console.log(`${title}: ${failureMessages[0].split('\n')[0]}`);
    }
  }
  const broken = json.testResults.filter(({ assertionResults }) => assertionResults.length === 0).length;
  console.log(`${json.numPassedTests} passed, ${json.numFailedTests + broken} failed`);
  return json.success ? 0 : 1;
});
