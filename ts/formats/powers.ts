import type { Activation } from '../spec/spec.ts';

const POWERS: Record<number, Activation> = { 0.5: 'sqrt', 1: 'linear', 2: 'square', [-1]: 'reciprocal' };

/** The function that raises to this power, more exactly than e^(y log x) does. */
export function powerFunction(exponent: number): Activation | undefined {
  return POWERS[exponent];
}
