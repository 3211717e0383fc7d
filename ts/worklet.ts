export * from './api/worklet.ts';
export * from './api/types.ts';
