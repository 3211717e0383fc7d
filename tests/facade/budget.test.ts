import { expect, test } from 'vitest';
import { DEFAULT_MAX_BYTES, ReadBudget } from '../../ts/io/budget.ts';
import { failure } from './helpers.ts';

test('a budget of one byte is one', () => {
  const budget = new ReadBudget(1);
  budget.spend(0, 'nothing');
  budget.spend(1, 'a byte');
  expect(
    failure(() => {
      budget.spend(1, 'a second');
    }).code,
  ).toBe('io');
});

test('a budget is spent by what is read, not by what is looked at', () => {
  const budget = new ReadBudget(100);
  for (let i = 0; i < 3; i++) budget.check(100, 'a file');
  budget.spend(60, 'a file');
  budget.spend(40, 'a shard');
  expect(
    failure(() => {
      budget.check(1, 'the next');
    }).code,
  ).toBe('io');
});

test('says what is left only where something was read', () => {
  const budget = new ReadBudget(100);
  expect(
    failure(() => {
      budget.check(101, 'it');
    }).message,
  ).toMatch(/^it has 101 bytes or more, a load reads 100 at most:/);
  budget.spend(30, 'it');
  expect(
    failure(() => {
      budget.check(71, 'it');
    }).message,
  ).toMatch(/100 at most, of which 70 are left: .*maxBytes/);
});

test('2 GiB where nothing is said', () => {
  const budget = new ReadBudget();
  expect(budget.maxBytes).toBe(DEFAULT_MAX_BYTES);
  budget.check(2 ** 31, 'a file');
  expect(
    failure(() => {
      budget.check(2 ** 31 + 1, 'a file');
    }).code,
  ).toBe('io');
});
