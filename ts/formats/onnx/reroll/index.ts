import type { OnnxGraph, OnnxNode, OnnxTensor } from '../messages.ts';
import type { Constant } from '../value.ts';
import { Chain } from './chain.ts';
import { EachStep } from './each.ts';
import { repeats } from './repeats.ts';
import { stepsTaken } from './steps.ts';

/** More are no cells that were written out. */
const MOST_CHAINS = 64;

/**
 * Cells that an exporter wrote out step by step, for one number of steps, become a Scan over the sequence again: the steps are taken
 * one by one from one value, each step's nodes are those of the step before, and states go from one to the next.
 *
 * @param read gives the values of a tensor of the file
 */
export function reroll(graph: OnnxGraph, read: (tensor: OnnxTensor) => Constant): OnnxGraph {
  let nodes = graph.nodes;
  for (const sequence of stepsTaken(graph).slice(0, MOST_CHAINS)) {
    const chain = new Chain(graph, nodes, sequence, read);
    nodes = chain.replaced() ?? nodes;
  }
  return nodes === graph.nodes ? graph : { ...graph, nodes };
}

/** What is written out for each step, alike or several times, and put together again, over all steps at once. */
export function together(graph: OnnxGraph): OnnxNode[] {
  return stepsTaken(graph)
    .slice(0, MOST_CHAINS)
    .reduce<OnnxNode[]>((nodes, taken) => new EachStep({ ...graph, nodes }, taken).replaced(), repeats(graph));
}
