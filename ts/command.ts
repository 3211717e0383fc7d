/** What the commands of gru-wasm-server share with `gru`. For that package of the same version alone: no part of the API. */
export { CommandError, EXIT, type ExitCode, failure } from './cli/exit.ts';
export { endOnSignals } from './cli/cleanup.ts';
export { FileSink, filled } from './cli/files/sink.ts';
export { type NamedFile, refuseLoss } from './cli/files/place.ts';
export { cellsOf, namesOf, numberOf, type Separator, shortest } from './cli/files/text.ts';
export { Progress, table } from './cli/terminal.ts';
