import { Command } from 'commander';
import { inspect } from '../../api/default.ts';
import type { Inspection } from '../../api/inspect.ts';
import { readFlags, readOptions, type ReadFlags } from '../model.ts';
import { print, printJson } from '../print.ts';
import { prose, section, styled, table, visible } from '../terminal.ts';

const text = (shape: readonly (number | string)[]) => shape.join(' x ');

/** `gru inspect MODEL` */
export function inspectCommand(): Command {
  return readOptions(new Command('inspect'))
    .description('say what a model file holds: layers, shapes, states, and where each tensor goes')
    .argument('<model>', 'the file')
    .option('--json', 'print all of it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  gru inspect encoder.safetensors
  gru inspect tagger.pt                                  # of a state dict: its modules, and a guess at --layers
  gru inspect tagger.pt --layers '[{ "gru": "rnn" }, { "linear": "fc" }]'
  gru inspect speech.onnx --onnx "{ node: 'GRU_17' }"`,
    )
    .action(async (path: string, flags: ReadFlags & { json?: boolean }) => {
      const found = await inspect(path, await readFlags(flags));
      await (flags.json ? printJson(found) : print(describe(path, found)));
    });
}

function describe(path: string, found: Inspection): string {
  const { format, producer, inputs, outputs, layers, states, tensors, modules, conventions, parameters } = found;
  const wired = layers.length > 0;
  const streams = found.streamable
    ? 'it streams: step by step gives the same as a whole run'
    : 'it runs whole sequences';
  const parts = [
    `${styled('bold', visible(path))}: ${format}${producer === undefined ? '' : `, by ${visible(producer)}`}`,
    wired
      ? `${prose([`${parameters.toLocaleString('en')} parameters; ${streams}`])}\n`
      : 'not yet a model: its wiring is needed\n',
  ];
  const add = (title: string, head: string[], rows: (string | number)[][]) => {
    if (rows.length > 0) parts.push(section(title, table(head, rows, 2)));
  };
  add(
    'Inputs',
    ['name', 'type', 'shape', 'takes'],
    inputs.map(({ name, dtype, shape, vocabularySize: ids }) => [
      name,
      dtype,
      text(shape),
      ids === undefined ? 'features' : `ids 0 to ${ids - 1}`,
    ]),
  );
  add(
    'Layers',
    ['name', 'kind', 'gives', 'parameters'],
    layers.map(({ name, type, shape, parameters }) => [name, type, text(shape), parameters]),
  );
  add(
    'Outputs',
    ['name', 'type', 'shape'],
    outputs.map(({ name, dtype, shape }) => [name, dtype, text(shape)]),
  );
  add(
    'States',
    ['layer', 'slot', 'shape', 'can be given'],
    states.map(({ name, slot, shape, settable }) => [name, slot, text(shape), settable ? 'yes' : 'no']),
  );
  add(
    'Modules',
    ['name', 'looks like'],
    (modules ?? []).map(({ name, kind }) => [name, kind]),
  );
  add(
    'Tensors',
    ['in the file', 'type', 'shape', ...(wired ? ['goes to'] : [])],
    tensors.map(({ source, dtype, shape, target }) => [source, dtype, text(shape), ...(wired ? [target] : [])]),
  );
  if (conventions.length > 0) parts.push(section('Found in the file', prose(conventions, 2)));
  return parts.join('\n');
}
